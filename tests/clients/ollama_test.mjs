// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import { Ollama } from 'ollama';
import {
  ANSWER, CONVERSATION, LIMIT_MS, MODEL, PROMPT_TOKENS, QUESTION, THOUGHTS, collect, httpUrl, numCancelled, until,
  untilIdle,
} from './mesh.mjs';

const client = new Ollama({ host: httpUrl });
const GREEDY = { model: MODEL, options: { temperature: 0 } };
const CHAT = { ...GREEDY, messages: CONVERSATION };
const ASK = { ...GREEDY, prompt: QUESTION };

function check(name, body) {
  test(name, { timeout: LIMIT_MS }, body);
}

const join = (parts, field) => parts.map((part) => part[field] ?? '').join('');

function assertLast(part, reason) {
  assert.deepEqual([part.done, part.done_reason, part.prompt_eval_count], [true, reason, PROMPT_TOKENS]);
  assert.ok(part.eval_count > 0);
  assert.ok(part.total_duration >= part.prompt_eval_duration + part.eval_duration);
}

check('what there is', async () => {
  const { models } = await client.list();
  assert.deepEqual(models.map((model) => model.name), [`${MODEL}:latest`]);
  const running = await client.ps();
  assert.deepEqual(running.models.map((model) => model.digest), [models[0].digest]);
  assert.match((await client.version()).version, /^\d+\.\d+\.\d+/);
});

check('show', async () => {
  for (const model of [MODEL, `${MODEL}:latest`]) {
    const shown = await client.show({ model });
    assert.deepEqual(shown.capabilities, ['completion', 'thinking']);
    assert.equal(shown.details.family, 'deepseek_v3');
    assert.equal(shown.model_info['deepseek_v3.context_length'], 2048);
  }
});

check('chat', async () => {
  const whole = await client.chat(CHAT);
  assert.deepEqual(whole.message, { role: 'assistant', content: ANSWER, thinking: THOUGHTS });
  assertLast(whole, 'stop');
  const parts = await collect(await client.chat({ ...CHAT, stream: true }));
  const messages = parts.map((part) => part.message);
  assert.deepEqual([join(messages, 'content'), join(messages, 'thinking')], [ANSWER, THOUGHTS]);
  assert.ok(parts.slice(0, -1).every((part) => !part.done));
  assertLast(parts.at(-1), 'stop');
});

check('generate', async () => {
  const whole = await client.generate(ASK);
  assert.deepEqual([whole.response, whole.thinking], [ANSWER, THOUGHTS]);
  assertLast(whole, 'stop');
  const parts = await collect(await client.generate({ ...ASK, stream: true, think: true }));
  assert.deepEqual([join(parts, 'response'), join(parts, 'thinking')], [ANSWER, THOUGHTS]);
  assertLast(parts.at(-1), 'stop');
});

check('thinking can be left out', async () => {
  const whole = await client.chat({ ...CHAT, think: false });
  assert.deepEqual(whole.message, { role: 'assistant', content: ANSWER });
  const parts = await collect(await client.generate({ ...ASK, think: false, stream: true }));
  assert.deepEqual([join(parts, 'response'), join(parts, 'thinking')], [ANSWER, '']);
});

check('options', async () => {
  const cut = await client.chat({ ...CHAT, options: { temperature: 0, num_predict: 8 } });
  assertLast(cut, 'length');
  assert.equal(cut.eval_count, 8);
  const stopped = await client.generate({ ...ASK, options: { temperature: 0, stop: ['re 3 "r'] } });
  assert.deepEqual([stopped.response, stopped.done_reason], ['There a', 'stop']);
  const drawn = () => client.chat({ ...CHAT, options: { temperature: 1.5, seed: 3 } });
  assert.deepEqual((await drawn()).message, (await drawn()).message);
});

check('logprobs', async () => {
  const { logprobs } = await client.chat({ ...CHAT, think: false, logprobs: true, top_logprobs: 2 });
  assert.equal(Buffer.from(logprobs.flatMap((item) => item.bytes)).toString().trimStart(), ANSWER);
  assert.ok(logprobs.every((item) => item.top_logprobs.length === 2));
});

check('a prompt of nothing only loads the model', async () => {
  const loaded = await client.generate({ model: MODEL, prompt: '' });
  assert.deepEqual([loaded.response, loaded.done, loaded.done_reason], ['', true, 'load']);
});

check('errors are sentences', async () => {
  const tools = [{ type: 'function', function: { name: 'f', description: 'f', parameters: {} } }];
  const cases = [
    [() => client.chat({ ...CHAT, model: 'x' }), 404, /^model 'x' does not exist/],
    [() => client.chat({ ...CHAT, model: 'x', stream: true }), 404, /^model 'x' does not exist/],
    [() => client.show({ model: 'x' }), 404, /^model 'x' does not exist/],
    [() => client.generate({ ...ASK, options: { temperature: 9 } }), 400, /^options.temperature is 9, expected 0 to/],
    [() => client.chat({ ...CHAT, tools }), 400, /^tools is not supported here/],
    [() => client.chat({ ...CHAT, format: 'json' }), 400, /^format is not supported here/],
    [() => client.pull({ model: MODEL }), 501, /serves one model/],
    [() => client.embed({ model: MODEL, input: 'x' }), 501, /gives no embeddings/],
  ];
  for (const [ask, status, message] of cases) {
    await assert.rejects(ask(), (error) => {
      assert.deepEqual([error.name, error.status_code], ['ResponseError', status]);
      assert.match(error.message, message);
      return true;
    });
  }
});

check('an answer that is aborted ends its request', async () => {
  const before = await numCancelled();
  // The rest of an answer may have come at once with its first part.
  await until(async () => {
    const stream = await client.chat({ ...CHAT, stream: true });
    const reading = async () => {
      for await (const { done } of stream) if (!done) stream.abort();
    };
    await reading().catch((error) => assert.equal(error.name, 'AbortError'));
    return (await numCancelled()) > before;
  }, 'an aborted request is counted');
  await untilIdle();
});
