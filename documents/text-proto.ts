import protobuf from 'protobufjs';
import textformat from 'protobufjs/ext/textformat.js';
import { InvalidDocuments } from './problem.ts';
import type { Problem } from './problem.ts';
import { formatPath } from './source-document.ts';
import type { Path, SourceDocument } from './source-document.ts';
import { tokenize } from './text-proto-tokens.ts';
import type { Token } from './text-proto-tokens.ts';

/** Messages within messages; no message that people write needs nearly as many. */
const MAX_DEPTH = 64;

/**
 * Parses a message in protobuf's text format: as plain data, with the fields' names as the .proto writes them and enums by
 * their names, so that it is the same data that a YAML file of the same fields gives.
 *
 * The structure is read here, because protobufjs tells neither the column of a mistake nor where a value stands; each scalar
 * is read by protobufjs, whose rules for escapes, numbers and enums then hold.
 *
 * @param type the message, of a root that was parsed with `keepCase`
 * @param file how messages name the document
 * @throws InvalidDocuments with every field that is unknown, given twice or of another type, or the first syntax error
 */
export function parseTextProto(text: string, type: protobuf.Type, file: string): SourceDocument {
  type.root.resolveAll();
  const reader = new Reader(text, file);
  const data = reader.readMessage(type, undefined, [], 0);
  if (reader.problems.length > 0) throw new InvalidDocuments(reader.problems);
  return {
    file,
    data,
    problemAt: (path, message) => reader.problemAt(path, message),
  };
}

class Reader {
  readonly problems: Problem[] = [];
  readonly #file: string;
  readonly #text: string;
  readonly #tokens: readonly Token[];
  #next = 0;
  /** Where each value stands, by its formatted path. */
  readonly #places = new Map<string, Place>();

  constructor(text: string, file: string) {
    this.#text = text;
    this.#file = file;
    this.#tokens = tokenize(text, (offset, message) => this.#syntaxError(offset, message));
  }

  problemAt(path: Path, message: string): Problem {
    for (let length = path.length; length > 0; length--) {
      const place = this.#places.get(formatPath(path.slice(0, length)));
      if (place === undefined) continue;
      // Of a value that is there, the value; of one that is missing, the field that it is missing in.
      const offset = length === path.length ? place.value : place.name;
      return { ...this.#placed(offset, message), path: formatPath(path) };
    }
    return { ...this.#placed(0, message), path: formatPath(path) };
  }

  /** @param end the bracket that closes the message; undefined for the document itself */
  readMessage(type: protobuf.Type, end: string | undefined, path: Path, depth: number): object {
    if (depth > MAX_DEPTH)
      throw this.#syntaxError(this.#offset, `more than ${MAX_DEPTH} messages within each other`);
    const data: Record<string, unknown> = {};
    for (;;) {
      const token = this.#peek();
      if (token === undefined) {
        if (end === undefined) return data;
        throw this.#syntaxError(this.#text.length, `ends inside ${formatPath(path)}; expected "${end}"`);
      }
      if (token.text === end) {
        this.#next += 1;
        return data;
      }
      this.#readField(type, data, path, depth);
      if (this.#skip(',') || this.#skip(';')) continue;
    }
  }

  #readField(type: protobuf.Type, data: Record<string, unknown>, path: Path, depth: number): void {
    const token = this.#take();
    if (token?.kind !== 'word')
      throw this.#syntaxError(token?.offset ?? 0, `"${token?.text ?? ''}" is no field name`);
    // What the record inherits, as `constructor`, is no field.
    const field = Object.hasOwn(type.fields, token.text) ? type.fields[token.text] : undefined;
    const here = [...path, token.text];
    if (field === undefined) {
      this.#refuse(
        token.offset,
        here,
        `is an unknown key; known here: ${Object.keys(type.fields).join(', ')}`,
      );
      this.#skip(':');
      this.#skipValue();
      return;
    }
    field.resolve();
    const isMessage = field instanceof protobuf.MapField || field.resolvedType instanceof protobuf.Type;
    if (!this.#skip(':') && !isMessage)
      throw this.#syntaxError(this.#offset, `expected ":" after ${token.text}`);
    if (field instanceof protobuf.MapField) {
      const entries = (data[token.text] ??= {}) as Record<string, unknown>;
      this.#place(here, token.offset, this.#offset);
      this.#eachValue(() => {
        this.#readEntry(field, entries, here, depth);
      });
    } else if (field.repeated) {
      const list = (data[token.text] ??= []) as unknown[];
      if (list.length === 0) this.#place(here, token.offset, token.offset);
      this.#eachValue(() => {
        const item = [...here, list.length];
        this.#place(item, this.#offset, this.#offset);
        list.push(this.#readValue(field, item, depth));
      });
    } else {
      if (Object.hasOwn(data, token.text))
        this.#refuse(token.offset, here, 'is given twice; expected it once');
      this.#place(here, token.offset, this.#offset);
      data[token.text] = this.#readValue(field, here, depth);
    }
  }

  /** A value, or a list of values in brackets. */
  #eachValue(read: () => void): void {
    if (!this.#skip('[')) {
      read();
      return;
    }
    while (!this.#skip(']')) {
      read();
      if (this.#peek()?.text !== ']' && !this.#skip(',')) {
        throw this.#syntaxError(this.#offset, 'expected "," or "]" in a list');
      }
    }
  }

  #readValue(field: FieldType, path: Path, depth: number): unknown {
    if (field.resolvedType instanceof protobuf.Type) {
      const end = this.#openMessage(path);
      return this.readMessage(field.resolvedType, end, path, depth + 1);
    }
    return this.#readScalar(field.resolvedType ?? field.type, path);
  }

  #openMessage(path: Path): string {
    if (this.#skip('{')) return '}';
    if (this.#skip('<')) return '>';
    throw this.#syntaxError(this.#offset, `expected "{" after ${formatPath(path)}`);
  }

  /** A map's entry is written as a message of its key and its value. */
  #readEntry(field: protobuf.MapField, entries: Record<string, unknown>, path: Path, depth: number): void {
    const offset = this.#offset;
    const end = this.#openMessage(path);
    let key: string | undefined;
    let value: unknown;
    let valueToken = this.#next;
    while (!this.#skip(end)) {
      const token = this.#take();
      if (token === undefined) throw this.#syntaxError(this.#text.length, `expected "${end}"`);
      if (token.text === 'key') {
        this.#skip(':');
        key = String(this.#readScalar(field.keyType, [...path, 'key']));
      } else if (token.text === 'value') {
        this.#skip(':');
        valueToken = this.#next;
        // The value's place is known by its key, which may come after it.
        this.#skipValue();
        value = true;
      } else {
        throw this.#syntaxError(
          token.offset,
          `"${token.text}" stands in a map's entry; expected key and value`,
        );
      }
      if (!this.#skip(',')) this.#skip(';');
    }
    const after = this.#next;
    const here = [...path, key ?? ''];
    if (key === undefined || value === undefined) {
      this.#refuse(offset, path, `has an entry without its ${key === undefined ? 'key' : 'value'}`);
      return;
    }
    if (Object.hasOwn(entries, key)) this.#refuse(offset, here, 'is given twice; expected it once');
    this.#next = valueToken;
    this.#place(here, offset, this.#offset);
    Object.defineProperty(entries, key, {
      value: this.#readValue(field, here, depth),
      enumerable: true,
      configurable: true,
      writable: true,
    });
    this.#next = after;
  }

  #readScalar(type: protobuf.Enum | string, path: Path): unknown {
    const start = this.#offset;
    const first = this.#take();
    if (first === undefined || '{}<>[],;:'.includes(first.text)) {
      throw this.#syntaxError(start, `expected a value of ${formatPath(path)}`);
    }
    let last = first.text === '-' ? (this.#take() ?? first) : first;
    // Strings that follow each other are one.
    while (last.kind === 'string' && this.#peek()?.kind === 'string') last = this.#take() ?? last;
    const raw = this.#text.slice(start, last.end);
    const value = readScalar(type, raw);
    if (value === undefined)
      this.#refuse(start, path, `is ${raw.slice(0, 60)}; expected ${expectedOf(type)}`);
    return value;
  }

  /** Passes over a value of any kind. */
  #skipValue(): void {
    let depth = 0;
    do {
      const token = this.#take();
      if (token === undefined) throw this.#syntaxError(this.#text.length, 'ends inside a value');
      if ('{<['.includes(token.text)) depth += 1;
      else if ('}>]'.includes(token.text)) depth -= 1;
      else if (depth === 0 && token.text === '-') this.#take();
      else if (depth === 0 && token.kind === 'string') while (this.#peek()?.kind === 'string') this.#take();
    } while (depth > 0);
  }

  /** Where the next token stands. */
  get #offset(): number {
    return this.#peek()?.offset ?? this.#text.length;
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#next];
  }

  #take(): Token | undefined {
    const token = this.#peek();
    this.#next += 1;
    return token;
  }

  #skip(text: string): boolean {
    const token = this.#peek();
    if (token?.kind !== 'mark' || token.text !== text) return false;
    this.#next += 1;
    return true;
  }

  #place(path: Path, name: number, value: number): void {
    this.#places.set(formatPath(path), { name, value });
  }

  #refuse(offset: number, path: Path, message: string): void {
    this.problems.push({ ...this.#placed(offset, message), path: formatPath(path) });
  }

  #syntaxError(offset: number, message: string): InvalidDocuments {
    return new InvalidDocuments([...this.problems, this.#placed(offset, message)]);
  }

  #placed(offset: number, message: string): Problem {
    const before = this.#text.slice(0, offset);
    const line = before.split('\n').length;
    return { file: this.#file, line, column: offset - before.lastIndexOf('\n'), path: '', message };
  }
}

/** What a field's values are, or those of a map. */
type FieldType = Pick<protobuf.FieldBase, 'type' | 'resolvedType'>;

/** Offsets in the text. */
interface Place {
  readonly name: number;
  readonly value: number;
}

const scalars = new protobuf.Root();

/** A message with one field of the scalar type, for protobufjs to read a value of that type. */
function holderOf(type: string): protobuf.Type {
  const known = scalars.get(type);
  if (known instanceof protobuf.Type) return known;
  const holder = new protobuf.Type(type).add(new protobuf.Field('value', 1, type));
  scalars.add(holder);
  return holder;
}

/** Undefined where the text is no value of that type. Whole numbers beyond 2^53 lose their last digits. */
function readScalar(type: protobuf.Enum | string, raw: string): unknown {
  if (type instanceof protobuf.Enum) {
    if (/^[A-Za-z_]/.test(raw)) return Object.hasOwn(type.values, raw) ? raw : undefined;
    return type.valuesById[readScalar('int32', raw) as number];
  }
  try {
    const { value } = textformat.fromText(holderOf(type), `value: ${raw}`) as { value?: unknown };
    return typeof value === 'object' ? Number(value) : value;
  } catch {
    return undefined;
  }
}

function expectedOf(type: protobuf.Enum | string): string {
  if (type instanceof protobuf.Enum) return `one of ${Object.keys(type.values).join(', ')}`;
  if (type === 'string') return 'a text in quotes';
  if (type === 'bool') return 'true or false';
  if (type === 'float' || type === 'double') return 'a number';
  return type.startsWith('u') ? 'a whole number >= 0' : 'a whole number';
}
