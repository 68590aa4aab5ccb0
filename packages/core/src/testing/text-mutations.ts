/** A text that differs from the original in one place, and how. */
export interface Mutation {
  readonly what: string;
  readonly bytes: Buffer;
}

/** Cuts at every byte, flips every bit, drops, doubles and inserts at every byte. */
export function* mutationsOf(original: Buffer): Generator<Mutation> {
  for (let at = 0; at < original.length; at++) {
    yield { what: `cut at ${at}`, bytes: original.subarray(0, at) };
    const before = original.subarray(0, at);
    const after = original.subarray(at + 1);
    const here = original.subarray(at, at + 1);
    yield { what: `dropped ${at}`, bytes: Buffer.concat([before, after]) };
    yield { what: `doubled ${at}`, bytes: Buffer.concat([before, here, here, after]) };
    yield { what: `inserted at ${at}`, bytes: Buffer.concat([before, Buffer.from('7'), here, after]) };
    for (let bit = 0; bit < 8; bit++) {
      const flipped = Buffer.from(original);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << bit);
      yield { what: `bit ${bit} of ${at}`, bytes: flipped };
    }
  }
  yield { what: 'a character more', bytes: Buffer.concat([original, Buffer.from('A')]) };
  yield { what: 'twice', bytes: Buffer.concat([original, original]) };
}
