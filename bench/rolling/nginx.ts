import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../../test/servers/free-port.ts';

/** A real nginx in front of replicas, with the configuration that docs/how-to/rolling-updates.md recommends. */
export class Nginx implements AsyncDisposable {
  readonly port: number;
  readonly #folder: string;
  readonly #child: ChildProcess;
  #reloads = 0;

  private constructor(port: number, folder: string, child: ChildProcess) {
    this.port = port;
    this.#folder = folder;
    this.#child = child;
  }

  /** @param servers `host:port` of the replicas, at least one */
  static async start(program: string, folder: string, servers: readonly string[]): Promise<Nginx> {
    const port = await freePort();
    await mkdir(folder);
    await writeFile(join(folder, 'nginx.conf'), configOf(folder, port, servers));
    const child = spawn(program, ['-p', folder, '-c', join(folder, 'nginx.conf')], { stdio: 'ignore' });
    const nginx = new Nginx(port, folder, child);
    while (!(await nginx.#answers())) {
      if (child.exitCode !== null) throw new Error(`nginx ended:\n${await nginx.#log()}`);
      await pause(20);
    }
    return nginx;
  }

  /** What it was told to reload so far. */
  get reloads(): number {
    return this.#reloads;
  }

  /** New workers take the connections that come; the old ones answer what they have. */
  async balance(servers: readonly string[]): Promise<void> {
    await writeFile(join(this.#folder, 'nginx.conf'), configOf(this.#folder, this.port, servers));
    this.#child.kill('SIGHUP');
    this.#reloads += 1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.kill('SIGTERM');
    await once(this.#child, 'exit');
  }

  async #answers(): Promise<boolean> {
    return fetch(`http://127.0.0.1:${this.port}/v2/health/live`).then(
      () => true,
      () => false,
    );
  }

  #log(): Promise<string> {
    return readFile(join(this.#folder, 'error.log'), 'utf8').catch(() => '');
  }
}

function configOf(folder: string, port: number, servers: readonly string[]): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `  ${kind}_temp_path ${join(folder, kind)};`,
  );
  return `daemon off;
${process.getuid?.() === 0 ? 'user root;\n' : ''}worker_processes 1;
pid ${join(folder, 'nginx.pid')};
error_log ${join(folder, 'error.log')} warn;
events { worker_connections 1024; }
http {
  access_log off;
${temporary.join('\n')}
  upstream signalbox {
${servers.map((server) => `    server ${server} max_fails=2 fail_timeout=2s;`).join('\n')}
    keepalive 32;
  }
  server {
    listen 127.0.0.1:${port};
    # A reload closes idle connections of clients. nginx 1.27.4 can wait for them (keepalive_min_timeout); an older one keeps none.
    keepalive_timeout 0;
    location / {
      proxy_pass http://signalbox;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_connect_timeout 1s;
      # Inference has no side effects, so a POST is sent to the next replica when the first one is gone.
      proxy_next_upstream error timeout non_idempotent;
      proxy_next_upstream_tries 3;
    }
  }
}
`;
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
