/** Why an upload is refused. */
export type ImageFault =
  | 'undecodable'
  /** Its pixels are more than are decoded for anyone. */
  | 'too_large'
  /** It can't stand beside the other images of the request. */
  | 'unlike';

/** The upload can't become a tensor: the caller's mistake. */
export class InvalidImage extends Error {
  readonly fault: ImageFault;

  constructor(fault: ImageFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'InvalidImage';
    this.fault = fault;
  }
}

/** @throws InvalidImage where `height * width` is more than `maxPixels` */
export function refuseMorePixels(what: string, height: number, width: number, maxPixels: number): void {
  if (height * width <= maxPixels) return;
  throw new InvalidImage('too_large', `${what} ${width}x${height} pixels; at most ${maxPixels} are decoded`);
}
