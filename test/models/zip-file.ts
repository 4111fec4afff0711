import { crc32, deflateRawSync } from 'node:zlib';

/** A file of an archive, and what the archive says of it where that is not so. */
export interface ZippedFile {
  readonly path: string;
  readonly content: string | Uint8Array;
  /** The Unix mode; left out: a plain file. */
  readonly mode?: number;
  readonly encrypted?: true;
  /** Instead of the true ones. */
  readonly saidBytes?: number;
  readonly saidCrc?: number;
  /** Instead of deflate. */
  readonly method?: number;
}

/** A zip archive, as the format says (PKWARE's APPNOTE 4.3), or as it says wrongly. */
export function zipFile(files: readonly ZippedFile[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const file of files) {
    const { path, mode = 0o100644, encrypted, method = 8 } = file;
    const content = Buffer.from(file.content);
    const packed = method === 8 ? deflateRawSync(content) : content;
    const name = Buffer.from(path);
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE((encrypted === true ? 1 : 0) | 0x800, 2);
    fields.writeUInt16LE(method, 4);
    fields.writeUInt32LE(file.saidCrc ?? crc32(content), 10);
    fields.writeUInt32LE(packed.length, 14);
    fields.writeUInt32LE(file.saidBytes ?? content.length, 18);
    fields.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), fields, name, packed]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE((mode << 16) >>> 0, 6);
    tail.writeUInt32LE(offset, 10);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x03'), fields, tail, name]));
    parts.push(local);
    offset += local.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, central, end]);
}

/** A `.mar` as torch-model-archiver makes it. */
export function torchArchive(model: Readonly<Record<string, unknown>>, files: readonly ZippedFile[]): Buffer {
  const manifest = {
    createdOn: '25/11/2026 10:00:00',
    runtime: 'python',
    model: { modelName: 'digits', handler: 'handler.py', modelVersion: '1.0', ...model },
    archiverVersion: '0.12.0',
  };
  return zipFile([{ path: 'MAR-INF/MANIFEST.json', content: JSON.stringify(manifest) }, ...files]);
}
