import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { V2Gateway, errorOf } from './v2-gateway.ts';

let gateway: V2Gateway;
beforeAll(async () => {
  gateway = await V2Gateway.start();
});
afterAll(() => gateway[Symbol.asyncDispose]());

describe('the model repository', () => {
  test('its index has every version, and why one isn’t ready', async () => {
    const index = (await (await gateway.post('/v2/repository/index', {})).json()) as { name: string }[];
    expect(index).toContainEqual({ name: 'simple', version: '2', state: 'READY', reason: '' });
    expect(index.find(({ name }) => name === 'broken')).toMatchObject({
      version: '1',
      state: 'UNAVAILABLE',
      reason: expect.stringContaining('failed to load') as string,
    });
    const ready = await (await gateway.post('/v2/repository/index', { ready: true })).json();
    expect(ready).toEqual(index.filter(({ name }) => name !== 'broken'));
    expect((await gateway.post('/v2/repository/index', '')).status).toBe(200);
  });

  test.each(['load', 'unload'])('%s is refused while the folders say what is served', async (action) => {
    const response = await gateway.post(`/v2/repository/models/simple/${action}`, '');
    expect(response.status).toBe(503);
    expect(await errorOf(response)).toContain(
      'explicit model load / unload is not allowed if polling is enabled',
    );
  });

  test.each([
    ['load', { parameters: { colour: 'red' } }, 400, "parameters['colour'] is unknown"],
    ['load', { parameters: { 'file:1/model.onnx': 'AAAA' } }, 400, 'needs the parameter config'],
    ['unload', { parameters: { unload_dependents: 'yes' } }, 400, 'expected true or false'],
  ])('%s with %j is told what is wrong with it', async (action, body, status, message) => {
    const response = await gateway.post(`/v2/repository/models/simple/${action}`, body);
    expect(response.status).toBe(status);
    expect(await errorOf(response)).toContain(message);
  });
});

describe('logging', () => {
  test('the settings are the logger’s own level, and move it', async () => {
    const initial = {
      log_file: '',
      log_info: true,
      log_warning: true,
      log_error: true,
      log_verbose_level: 0,
      log_format: 'default',
    };
    expect(await (await gateway.get('/v2/logging')).json()).toEqual(initial);
    const verbose = await gateway.post('/v2/logging', { log_verbose_level: 1, log_info: null });
    expect(await verbose.json()).toEqual({ ...initial, log_verbose_level: 1 });
    expect(gateway.logLevel).toBe('debug');
    await gateway.post('/v2/logging', { log_info: false, log_warning: false });
    expect(gateway.logLevel).toBe('error');
    const restored = await gateway.post('/v2/logging', initial);
    expect(await restored.json()).toEqual(initial);
    expect(gateway.logLevel).toBe('info');
  });

  test.each([
    [{ log_file: '/etc/passwd' }, 501, 'log file location can not be updated'],
    [{ log_format: 'ISO8601' }, 501, 'logs are JSON lines'],
    [{ log_error: false }, 501, 'log levels are ordered'],
    [{ log_verbose_level: -1 }, 400, 'expected a whole number >= 0'],
    [{ log_info: 'yes' }, 400, 'expected true or false'],
    [{ log_colour: true }, 400, "unknown log setting 'log_colour'"],
  ])('%j is refused', async (settings, status, message) => {
    const response = await gateway.post('/v2/logging', settings);
    expect(response.status).toBe(status);
    expect(await errorOf(response)).toContain(message);
    expect(gateway.logLevel).toBe('info');
  });
});

describe('tracing', () => {
  test.each(['/v2/trace/setting', '/v2/models/simple/trace/setting'])(
    '%s says that it is off',
    async (path) => {
      const off = {
        trace_level: ['OFF'],
        trace_rate: '1000',
        trace_count: '-1',
        log_frequency: '0',
        trace_file: '',
        trace_mode: 'triton',
      };
      expect(await (await gateway.get(path)).json()).toEqual(off);
      expect(await (await gateway.post(path, { trace_level: ['OFF'], trace_rate: null })).json()).toEqual(
        off,
      );
      const response = await gateway.post(path, { trace_level: ['TIMESTAMPS'] });
      expect(response.status).toBe(501);
      expect(await errorOf(response)).toContain('trace_level can not be changed: traces are not taken');
    },
  );

  test('of a model that isn’t served is a 404, and an unknown setting a 400', async () => {
    expect((await gateway.get('/v2/models/nobody/trace/setting')).status).toBe(404);
    expect((await gateway.post('/v2/trace/setting', { colour: 'red' })).status).toBe(400);
  });
});

test('shared memory is refused by name', async () => {
  const response = await gateway.get('/v2/systemsharedmemory/status');
  expect(response.status).toBe(501);
  expect(await errorOf(response)).toContain('system shared memory is not supported');
});

describe('control', () => {
  test.each(['/v2/logging', '/v2/trace/setting', '/v2/repository/models/simple/load'])(
    'a call to %s that a proxy passes on is a 403',
    async (path) => {
      const response = await gateway.post(path, {}, { 'x-forwarded-for': '203.0.113.9' });
      expect(response.status).toBe(403);
      expect(await errorOf(response)).toContain(
        "without keys this is answered on the gateway's own machine only",
      );
    },
  );
});
