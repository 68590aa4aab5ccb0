/** True when this process acts as root (geteuid(2)), and so may give files away and make devices. */
export function isSuperuser(): boolean {
  return process.geteuid?.() === 0;
}
