/** `L(s)` of the format page: every domain-separation string passes through here. */
export function label(name: string): Uint8Array {
  return Buffer.from(`cairn/1 ${name}\0`, 'latin1');
}
