/** True when this process acts as root (geteuid(2)), and so may give files away and make devices. */
export function isSuperuser(): boolean {
  return process.geteuid?.() === 0;
}

/** Who owns what this process makes (geteuid(2), getegid(2)). */
export function processOwner(): { readonly uid: number; readonly gid: number } {
  return { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
}
