/** Version of the program; a test holds it to `package.json`. Here so that `cairn --version` reads no file. */
export const VERSION = '0.1.0';

/** The oldest Node.js that this program runs on: major and minor. */
export const LEAST_NODE = [20, 19] as const;

/** What archives name as the program that made them. */
export const PROGRAM = `cairn ${VERSION}`;
