// SPDX-License-Identifier: Apache-2.0
// The mesh that the tests ask: clients_test.py starts it, and names it in the
// environment.
import assert from 'node:assert/strict';
import http from 'node:http';

export const MODEL = 'tiny-r1';
export const QUESTION = 'How many "r"s in strawberry?';
export const THOUGHTS = 'Looking for r in: s t r (1) a w b e r (2) r (3) y\nThe count is 3.';
export const ANSWER = 'There are 3 "r"s in strawberry.';
export const CONVERSATION = [{ role: 'user', content: QUESTION }];
export const PROMPT_TOKENS = 21;
// Of a test; much more than it takes, also on a busy machine.
export const LIMIT_MS = 120_000;

export const httpUrl = `http://${address('MESH_HTTP')}`;
export const grpcAddress = address('MESH_GRPC');
// A gateway of the same mesh that answers one request at a time.
export const smallHttpUrl = `http://${address('MESH_SMALL_HTTP')}`;
export const smallGrpcAddress = address('MESH_SMALL_GRPC');
const attentionMetricsUrl = `http://${address('MESH_ATTENTION_METRICS')}/metrics`;

function address(name) {
  const value = process.env[name];
  assert.ok(value, `${name} is not set: run clients_test.py`);
  return value;
}

// On a connection of its own: a node's metrics server closes those that are
// kept without saying so.
function read(url) {
  return new Promise((resolve, reject) => {
    const request = http.get(url, { agent: false }, async (response) => {
      let text = '';
      for await (const piece of response.setEncoding('utf8')) text += piece;
      resolve(text);
    });
    request.on('error', reject);
  });
}

// What the metric has, all its label sets together that say `label`.
async function metric(url, name, label = '') {
  return (await read(url))
    .split('\n')
    .filter((line) => (line.startsWith(`${name} `) || line.startsWith(`${name}{`)) && line.includes(label))
    .map((line) => Number(line.slice(line.lastIndexOf(' '))))
    .reduce((sum, value) => sum + value, 0);
}

// Requests that have ended because their clients gave them up.
export async function numCancelled() {
  return metric(`${httpUrl}/metrics`, 'mesh_requests_total', 'outcome="cancelled"');
}

// `num` more than the `before` that it was.
export async function untilCancelled(before, num = 1) {
  await until(async () => (await numCancelled()) >= before + num, `${num} requests end as cancelled`);
  await untilIdle();
}

export async function until(condition, what) {
  const deadline = Date.now() + 60_000;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, `not within 60 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export async function untilRunning() {
  await until(async () => (await metric(attentionMetricsUrl, 'mesh_streams_running')) > 0, 'a stream runs');
}

// Neither the gateway nor the attention node has anything left to do.
export async function untilIdle() {
  const counts = [
    [`${httpUrl}/metrics`, 'mesh_requests_running'],
    [`${httpUrl}/metrics`, 'mesh_streams_open'],
    [attentionMetricsUrl, 'mesh_streams_running'],
    [attentionMetricsUrl, 'mesh_streams_waiting'],
  ];
  for (const [url, name] of counts) await until(async () => (await metric(url, name)) === 0, `${name} is 0`);
}

export async function collect(stream) {
  const all = [];
  for await (const item of stream) all.push(item);
  return all;
}
