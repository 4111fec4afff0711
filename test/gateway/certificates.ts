import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Makes a certificate of its own issue for 127.0.0.1, `<name>.pem`, and its key, `<name>.key`, in a folder. */
export async function certify(folder: string, name: string): Promise<void> {
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'];
  const files = ['-keyout', join(folder, `${name}.key`), '-out', join(folder, `${name}.pem`)];
  await run('openssl', ['req', '-x509', ...curve, ...subject, ...files]);
}
