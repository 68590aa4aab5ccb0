/** The shapes of JSON output, which the command line and the API share. Nothing but core is loaded for them. */
export { archiveJson, entryJson } from './archive.ts';
export { compactJson } from './compact.ts';
export { changeJson, deletionJson } from './decisions.ts';
export { bytesField, type Json, type JsonObject } from './json.ts';
export { pruneJson } from './prune.ts';
export { exactTime, storeTime } from './times.ts';
