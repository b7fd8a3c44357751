// SPDX-License-Identifier: Apache-2.0
// A program that knows nothing of the mesh but its address asks by reflection.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import test from 'node:test';
import { ANSWER, CONVERSATION, LIMIT_MS, MODEL, THOUGHTS, grpcAddress } from './mesh.mjs';

const SERVICE = 'mesh.gateway.v1.InferenceService';

function check(name, body) {
  test(name, { timeout: LIMIT_MS }, body);
}

function bufCurl(path, ...flags) {
  const flagsOfAll = ['curl', '--protocol', 'grpc', '--http2-prior-knowledge'];
  const url = `http://${grpcAddress}${path}`;
  return spawnSync('node_modules/.bin/buf', [...flagsOfAll, ...flags, url], { encoding: 'utf8', timeout: LIMIT_MS });
}

// The answers, which are indented JSON objects one after another.
function ask(path, request, ...flags) {
  const { status, stdout, stderr } = bufCurl(path, '--data', JSON.stringify(request), ...flags);
  assert.equal(status, 0, stderr);
  return JSON.parse(`[${stdout.trim().replaceAll('\n}\n{', '\n},\n{')}]`);
}

check('services', () => {
  const { status, stdout, stderr } = bufCurl('', '--list-services');
  assert.equal(status, 0, stderr);
  assert.ok(stdout.split('\n').includes(SERVICE), stdout);
});

check('methods', () => {
  const { status, stdout, stderr } = bufCurl('', '--list-methods');
  assert.equal(status, 0, stderr);
  const methods = stdout.split('\n').filter((line) => line.startsWith(`${SERVICE}/`));
  assert.deepEqual(methods.map((line) => line.slice(SERVICE.length + 1)).sort(),
    ['Cancel', 'Detokenize', 'Generate', 'ListModels', 'Tokenize']);
});

check('ListModels', () => {
  const [{ models }] = ask(`/${SERVICE}/ListModels`, {});
  assert.deepEqual(models.map((model) => [model.name, model.contextLength]), [[MODEL, 2048]]);
});

check('Generate', () => {
  const request = { messages: { messages: CONVERSATION }, sampling: { temperature: 0 } };
  const events = ask(`/${SERVICE}/Generate`, request);
  assert.equal(events[0].started.model, MODEL);
  assert.equal(events.map((event) => event.delta?.text ?? '').join(''), ANSWER);
  assert.equal(events.map((event) => event.delta?.reasoningText ?? '').join(''), THOUGHTS);
  assert.equal(events.at(-1).completed.finishReason, 'FINISH_REASON_STOP');
});

check('an error', () => {
  const request = { text: 'x', sampling: { temperature: 9 } };
  const { status, stderr } = bufCurl(`/${SERVICE}/Generate`, '--data', JSON.stringify(request));
  assert.equal(status, 8 * 3); // buf's exit code for INVALID_ARGUMENT, 3
  const { code, message } = JSON.parse(stderr);
  assert.deepEqual([code, message], ['invalid_argument', 'temperature is 9, expected 0 to 2']);
});

check('health', () => {
  for (const service of ['', SERVICE]) {
    const answer = ask('/grpc.health.v1.Health/Check', { service });
    assert.deepEqual(answer, [{ status: 'SERVING' }]);
  }
});
