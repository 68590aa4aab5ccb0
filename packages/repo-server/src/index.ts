// The repository server as a program uses it: `cairn serve`, and the command `cairn-server`.
export { serve, type ServeRequest, type ServeSurroundings } from './commands/serve.ts';
export { startServer, type RunningServer } from './server.ts';
export { addServe } from './commands/program.ts';
export { readSettings, settingsOf, type ServerSettings } from './settings.ts';
export { ROLE_TABLE, ROLES, type Right, type Role } from './roles.ts';
