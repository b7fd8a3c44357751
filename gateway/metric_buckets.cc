// SPDX-License-Identifier: Apache-2.0
#include "gateway/metric_buckets.h"

namespace mesh::gateway {

std::vector<double> FirstTokenBuckets() {
  return {.001, .005, .01, .02, .04, .06, .08, .1, .25, .5,  .75,
          1,    2.5,  5,   7.5, 10,  20,  40,  80, 160, 640, 2560};
}

std::vector<double> TokenGapBuckets() {
  return {.002, .004, .006, .008, .01, .015, .02, .025, .03, .035, .04, .06,
          .08,  .1,   .2,   .4,   .6,  .8,   1,   2,    4,   6,    8};
}

std::vector<double> RequestBuckets() {
  return {.3, .5, .8, 1,  1.5, 2,   2.5, 5,   10,   15,  20,
          30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680};
}

std::vector<double> TokenizingBuckets() {
  return {.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1};
}

std::vector<double> TokenCountBuckets() {
  return {1,    2,    5,    10,    20,    50,    100,    200,   500,
          1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000};
}

}  // namespace mesh::gateway
