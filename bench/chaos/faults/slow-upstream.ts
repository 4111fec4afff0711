import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import type { Fault } from '../finding.ts';
import { pause } from '../finding.ts';
import { ADDER_FILES, adderExperiment, startGatewayProcess } from '../gateway-process.ts';
import { underFault } from '../under-fault.ts';

export const slowUpstream: Fault = {
  name: "a variant's server takes the calls, and answers none",
  async run({ faultMs }) {
    let isStuck = false;
    const server = createServer((request, response) => {
      request.resume();
      if (isStuck) return;
      const outputs = [{ name: 'OUTPUT', datatype: 'FP32', shape: [1, 2], data: [2, 3] }];
      response.setHeader('content-type', 'application/json');
      if (request.method === 'POST')
        response.end(JSON.stringify({ model_name: 'adder', model_version: '1', outputs }));
      else response.end(JSON.stringify(METADATA));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const variants = [
      { name: 'v1', version: 1, weight: 50 },
      {
        name: 'away',
        weight: 50,
        upstream: {
          url: `http://127.0.0.1:${port}`,
          model: 'adder',
          timeouts: { headers: '300ms', total: '600ms' },
          breaker: { openFor: '1s' },
          health: { interval: '1s', timeout: '500ms' },
        },
      },
    ];
    await using gateway = await startGatewayProcess({
      files: { ...ADDER_FILES, 'experiments/adder.yaml': adderExperiment({ variants }) },
    });
    try {
      return await underFault(this.name, gateway, {
        async strike() {
          isStuck = true;
          await pause(faultMs);
          isStuck = false;
        },
        whole: {
          what: 'its callers come back to the variant',
          holds: (callers, overMs) => (callers.variants(overMs).get('adder-test=away') ?? 0) > 0,
        },
        mayEnd: [],
      });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  },
};

const METADATA = {
  name: 'adder',
  versions: ['1'],
  platform: 'a server of the chaos run',
  inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [-1, 2] }],
  outputs: [{ name: 'OUTPUT', datatype: 'FP32', shape: [-1, 2] }],
};
