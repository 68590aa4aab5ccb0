// The management API as a program uses it: `cairn panel`, and the command `cairn-api`.
export { runPanel, type PanelPlace, type PanelRequest } from './panel.ts';
export { startPanel, type PanelSurroundings, type RunningPanel } from './server.ts';
export { DEFAULT_PANEL_FILE, panelConfigOf, readPanelFile, type PanelConfig } from './config/panel-file.ts';
export { RIGHTS, ROLES, type RightName, type Role } from './rights/table.ts';
