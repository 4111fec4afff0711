/** What TorchServe calls its versions where nobody named them: whole numbers with a `.0`, which stands for the number. */
const WHOLE = /^([1-9][0-9]{0,14})\.0$/;

/** The version that a path of TorchServe names, as the gateway's own paths name it; what is none is left as it is. */
export function versionOfPath(version: string): string {
  return WHOLE.exec(version)?.[1] ?? version;
}
