// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { promisify } from 'node:util';
import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';
import {
  ANSWER, CONVERSATION, LIMIT_MS, MODEL, PROMPT_TOKENS, QUESTION, THOUGHTS, collect, grpcAddress, numCancelled,
  smallGrpcAddress, untilCancelled, untilIdle,
} from './mesh.mjs';

const files = ['mesh/gateway/v1/inference_service.proto', 'mesh/gateway/v1/error_details.proto', 'grpc/health/v1/health.proto'];
const api = grpc.loadPackageDefinition(protoLoader.loadSync(files, {
  includeDirs: [process.env.MESH_PROTO],
  keepCase: true, defaults: true, longs: String, enums: String, oneofs: true,
}));
const plaintext = grpc.credentials.createInsecure();
const mesh = new api.mesh.gateway.v1.InferenceService(grpcAddress, plaintext);
const smallMesh = new api.mesh.gateway.v1.InferenceService(smallGrpcAddress, plaintext);
const health = new api.grpc.health.v1.Health(grpcAddress, plaintext);
const GREEDY = { messages: { messages: CONVERSATION }, sampling: { temperature: 0 } };
const LONG = { text: QUESTION, ignore_eos: true, max_tokens: 2000 }; // does not end by itself

const soon = () => ({ deadline: Date.now() + LIMIT_MS });
const call = (client, method, request) => promisify(client[method].bind(client))(request, soon());
const generate = (request) => collect(mesh.generate(request, soon()));
const join = (events, field) => events.map((event) => event.delta?.[field] ?? '').join('');

function check(name, body) {
  test(name, { timeout: LIMIT_MS }, body);
}

after(() => [mesh, smallMesh, health].forEach((client) => client.close()));

check('models', async () => {
  const { models } = await call(mesh, 'listModels', {});
  assert.deepEqual(models.map((model) => [model.name, model.context_length]), [[MODEL, 2048]]);
});

check('a stream of events', async () => {
  const events = await generate(GREEDY);
  assert.equal(events[0].event, 'started');
  assert.equal(events[0].started.prompt_tokens, PROMPT_TOKENS);
  assert.ok(events.slice(1, -1).every((event) => event.event === 'delta'));
  assert.deepEqual([join(events, 'text'), join(events, 'reasoning_text')], [ANSWER, THOUGHTS]);
  const { completed } = events.at(-1);
  assert.equal(completed.finish_reason, 'FINISH_REASON_STOP');
  const indices = events.flatMap((event) => event.delta?.tokens ?? []).map((token) => token.index);
  assert.deepEqual(indices, [...indices.keys()]);
  assert.equal(completed.usage.completion_tokens, indices.length);
});

check('the seed of an answer brings it again', async () => {
  const drawn = { ...GREEDY, sampling: { temperature: 1.5, top_p: 1 } };
  const first = await generate(drawn);
  const again = await generate({ ...drawn, sampling: { ...drawn.sampling, seed: first[0].started.seed } });
  const ids = (events) => events.flatMap((event) => event.delta?.tokens ?? []).map((token) => token.id);
  assert.deepEqual(ids(again), ids(first));
});

check('texts and token ids', async () => {
  const text = 'straw berry 你好 🍓';
  const { ids } = await call(mesh, 'tokenize', { text });
  assert.equal((await call(mesh, 'detokenize', { ids })).text, text);
  const events = await generate({ token_ids: { ids }, max_tokens: 4, sampling: { temperature: 0 }, ignore_eos: true });
  assert.equal(events.at(-1).completed.finish_reason, 'FINISH_REASON_LENGTH');
});

check('errors, with details for programs', async () => {
  const cases = [
    [{ ...GREEDY, model: 'x' }, grpc.status.NOT_FOUND, 'model', 'MODEL_NOT_FOUND'],
    [{ ...GREEDY, max_tokens: 5000 }, grpc.status.INVALID_ARGUMENT, 'max_tokens', 'CONTEXT_LENGTH_EXCEEDED'],
  ];
  const { ErrorStatus, ErrorInfo, BadRequest } = api.mesh.gateway.v1;
  for (const [request, code, field, reason] of cases) {
    await assert.rejects(generate(request), (error) => {
      assert.equal(error.code, code, error);
      const [bytes] = error.metadata.get('grpc-status-details-bin');
      const status = ErrorStatus.deserialize(bytes);
      assert.deepEqual([status.code, status.message], [code, error.details]);
      assert.deepEqual(status.details.map((any) => any.type_url.replace(/.*\./, '')), ['ErrorInfo', 'BadRequest']);
      assert.equal(ErrorInfo.deserialize(status.details[0].value).reason, reason);
      assert.equal(BadRequest.deserialize(status.details[1].value).field_violations[0].field, field);
      return true;
    });
  }
});

check('a full gateway says when to try again', async () => {
  // One of them runs, and one may wait.
  const streams = [1, 2, 3].map(() => smallMesh.generate(LONG, soon()));
  const error = await Promise.race(streams.map((stream) => collect(stream).catch((reason) => reason)));
  for (const stream of streams) stream.cancel();
  assert.equal(error.code, grpc.status.RESOURCE_EXHAUSTED, error);
  const { ErrorStatus, RetryInfo } = api.mesh.gateway.v1;
  const [bytes] = error.metadata.get('grpc-status-details-bin');
  const hint = ErrorStatus.deserialize(bytes).details.find((any) => any.type_url.endsWith('google.rpc.RetryInfo'));
  const { seconds, nanos } = RetryInfo.deserialize(hint.value).retry_delay;
  const ms = Number(seconds) * 1000 + nanos / 1e6;
  assert.ok(ms > 0);
  assert.deepEqual(error.metadata.get('grpc-retry-pushback-ms'), [String(ms)]);
});

check('a deadline', async () => {
  const stream = mesh.generate(LONG, { deadline: Date.now() + 300 });
  await assert.rejects(collect(stream), { code: grpc.status.DEADLINE_EXCEEDED });
  await untilIdle();
});

check('a client that cancels its call', async () => {
  const before = await numCancelled();
  const stream = mesh.generate(LONG, soon());
  stream.once('data', () => stream.cancel());
  await assert.rejects(collect(stream), { code: grpc.status.CANCELLED });
  await untilCancelled(before);
});

check('Cancel by name', async () => {
  const request_id = 'to-be-cancelled';
  const stream = mesh.generate({ ...LONG, request_id }, soon());
  stream.once('data', () => mesh.cancel({ request_id }, soon(), (error) => assert.ifError(error)));
  assert.equal((await collect(stream)).at(-1).completed.finish_reason, 'FINISH_REASON_CANCELLED');
  await untilIdle();
  await assert.rejects(call(mesh, 'cancel', { request_id }), { code: grpc.status.NOT_FOUND });
});

check('health', async () => {
  for (const service of ['', 'mesh.gateway.v1.InferenceService']) {
    assert.equal((await call(health, 'check', { service })).status, 'SERVING');
  }
  await assert.rejects(call(health, 'check', { service: 'x' }), { code: grpc.status.NOT_FOUND });
  const watch = health.watch({ service: '' }, soon());
  for await (const { status } of watch) {
    assert.equal(status, 'SERVING');
    break;
  }
  watch.on('error', () => {});
  watch.cancel();
});
