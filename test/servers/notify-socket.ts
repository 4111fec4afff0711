import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { temporaryFolder } from '../models/temporary-folder.ts';

/** What stands where systemd does: a datagram socket of Unix, as `NOTIFY_SOCKET` names it. */
export interface NotifySocket extends AsyncDisposable {
  readonly path: string;
  /** The messages so far, in their order: each one's assignments by name. */
  readonly messages: readonly Readonly<Record<string, string>>[];
}

/** Node has no such sockets; Python has. A message may bring a descriptor that its sender waits for to be closed (`BARRIER=1`). */
const RECEIVER = `
import array, json, os, socket, sys
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(sys.argv[1])
print("bound", flush=True)
while True:
    data, ancillary, _, _ = receiver.recvmsg(65536, 1024)
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            for descriptor in array.array("i", content):
                os.close(descriptor)
    print(json.dumps(data.decode()), flush=True)
`;

/** @param python a Python 3 */
export async function startNotifySocket(python: string): Promise<NotifySocket> {
  const folder = await temporaryFolder({});
  const path = join(folder.path, 'notify');
  const child = spawn(python, ['-c', RECEIVER, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const messages: Readonly<Record<string, string>>[] = [];
  await once(lines, 'line');
  lines.on('line', (line) => {
    const assignments = (JSON.parse(line) as string).split('\n').filter((text) => text.includes('='));
    const message = Object.fromEntries(
      assignments.map((text) => [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)]),
    );
    if (!('BARRIER' in message)) messages.push(message);
  });
  return {
    path,
    messages,
    async [Symbol.asyncDispose]() {
      child.kill();
      await once(child, 'exit');
      await folder[Symbol.asyncDispose]();
    },
  };
}
