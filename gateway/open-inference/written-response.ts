/** An answer as it goes over the wire. */
export interface V2Response {
  readonly body: string | Buffer;
  /** Bytes of JSON before the binary data; undefined: all of it is JSON. */
  readonly jsonBytes: number | undefined;
}
