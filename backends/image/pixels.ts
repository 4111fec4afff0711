/** A decoded image, or a part of one: 8 bits a channel, the channels of a pixel side by side, row by row. */
export interface Pixels {
  readonly data: Uint8Array;
  readonly height: number;
  readonly width: number;
  /** 3: red, green and blue; 1: grey. */
  readonly channels: 1 | 3;
}

export function channelsOf(color: 'rgb' | 'bgr' | 'gray'): Pixels['channels'] {
  return color === 'gray' ? 1 : 3;
}

/** RGB to grey by ITU-R BT.601's weights in 16 bits, as Pillow's `convert("L")`; of three equal values it is that value. */
export function toGray({ data, height, width }: Pixels): Pixels {
  const gray = new Uint8Array(height * width);
  for (let pixel = 0, at = 0; pixel < gray.length; pixel++, at += 3) {
    const [red = 0, green = 0, blue = 0] = [data[at], data[at + 1], data[at + 2]];
    gray[pixel] = (red * 19_595 + green * 38_470 + blue * 7471 + 0x8000) >> 16;
  }
  return { data: gray, height, width, channels: 1 };
}

/** Cyan, magenta, yellow and black to RGB by the plain complement, with no colour profile, as Pillow's `convert("RGB")`. */
export function cmykToRgb(cmyk: Uint8Array, height: number, width: number): Pixels {
  const data = new Uint8Array(height * width * 3);
  for (let at = 0, to = 0; to < data.length; at += 4, to += 3) {
    const light = 255 - (cmyk[at + 3] ?? 0);
    for (let ink = 0; ink < 3; ink++) {
      data[to + ink] = Math.max(0, light - scaled(cmyk[at + ink] ?? 0, light));
    }
  }
  return { data, height, width, channels: 3 };
}

/** `a * b / 255`, rounded, in whole numbers. */
function scaled(a: number, b: number): number {
  const product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}
