#!/usr/bin/env node
// In a clone the source runs as it is; in the installed package it is compiled, as Node strips no types inside node_modules.
import { existsSync } from 'node:fs';
import process from 'node:process';
import { URL } from 'node:url';

const [major = 0] = process.versions.node.split('.').map(Number);
if (major < 24) {
  process.stderr.write(
    `signalbox needs Node 24 or newer, and this is Node ${process.versions.node} (${process.execPath})\n`,
  );
  process.exit(1);
}
const source = new URL('../gateway/cli/main.ts', import.meta.url);
await import(existsSync(source) ? source.href : new URL('../dist/gateway/cli/main.js', import.meta.url).href);
