import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { certify } from '../../../test/gateway/certificates.ts';
import { temporaryFolder } from '../../../test/models/temporary-folder.ts';
import { until } from '../finding.ts';
import type { Fault } from '../finding.ts';
import { startGatewayProcess } from '../gateway-process.ts';
import { underFault } from '../under-fault.ts';

export const certificateReplaced: Fault = {
  name: 'the certificate is replaced',
  async run() {
    await using folder = await temporaryFolder({});
    for (const name of ['server', 'next']) await certify(folder.path, name);
    const file = (name: string): string => join(folder.path, name);
    await using gateway = await startGatewayProcess({
      isEncrypted: true,
      config:
        'state: sqlite:./state.db\n' +
        `tls: { http: { cert: ${JSON.stringify(file('server.pem'))}, key: ${JSON.stringify(file('server.key'))} } }\n`,
    });
    const next = new X509Certificate(await readFile(file('next.pem'))).fingerprint256;
    let shownAfterMs = 0;
    const finding = await underFault(this.name, gateway, {
      async strike() {
        const startMs = performance.now();
        // The key and the certificate can't be moved at once; in between they don't belong together.
        await rename(file('next.key'), file('server.key'));
        await rename(file('next.pem'), file('server.pem'));
        await until('the new one is shown', async () => (await shown(gateway.address)) === next);
        shownAfterMs = performance.now() - startMs;
      },
      mayEnd: [],
    });
    return { ...finding, saw: `${finding.saw}; the new one is shown after ${shownAfterMs.toFixed(0)} ms` };
  },
};

async function shown(address: string): Promise<string> {
  const [host = '', port] = address.split(':');
  const socket = connect({ host, port: Number(port), rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}
