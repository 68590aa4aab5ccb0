import { hostname, userInfo } from 'node:os';

/** The account that runs this. One without a name, as containers have them, goes by its number. */
export function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? '');
  }
}

/** Who decides something, for people who read the log: `ada@web1`. */
export function whoDecides(): string {
  return `${userName()}@${hostname()}`;
}
