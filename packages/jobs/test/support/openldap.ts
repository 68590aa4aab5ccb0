import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';

import { assertInstalled, Daemon } from './daemon.ts';

export const SUFFIX = 'dc=example,dc=org';

/** slapd of Debian on a local socket, with one tree. */
export class Openldap {
  private readonly daemon = new Daemon('openldap', 'openldap');

  static create(entries: string): Openldap {
    assertInstalled('slapd', 'slapadd', 'slapcat', 'ldapsearch');
    const server = new Openldap();
    try {
      server.daemon.makeDirectory('config');
      server.daemon.makeDirectory('data');
      server.daemon.run(['slapadd', '-F', server.config, '-n', '0'], server.configuration());
      server.daemon.run(['slapadd', '-F', server.config, '-n', '1'], entries);
      return server;
    } catch (error) {
      server.remove();
      throw error;
    }
  }

  get config(): string {
    return this.daemon.path('config');
  }

  get data(): string {
    return this.daemon.path('data');
  }

  async start(): Promise<void> {
    const command = ['slapd', '-F', this.config, '-h', this.address, '-d', '0'];
    await this.daemon.start(command, () => existsSync(this.daemon.path('ldapi')) && this.answers());
  }

  async stop(): Promise<void> {
    await this.daemon.stop();
  }

  /** All entries with their attributes, as the server gives them; those that it adds by itself, too. */
  search(): string {
    return this.daemon.run([
      'ldapsearch',
      '-LLL',
      '-o',
      'ldif-wrap=no',
      '-x',
      '-H',
      this.address,
      '-b',
      SUFFIX,
      '*',
      '+',
    ]);
  }

  /** Adds an entry while the server runs. */
  add(ldif: string): void {
    const login = ['-x', '-D', `cn=admin,${SUFFIX}`, '-w', 'secret'];
    this.daemon.run(['ldapadd', '-H', this.address, ...login], ldif);
  }

  /** What stands beside the directories of the server. */
  names(): string[] {
    return readdirSync(this.daemon.directory);
  }

  remove(): void {
    this.daemon.remove();
  }

  private get address(): string {
    return `ldapi://${encodeURIComponent(this.daemon.path('ldapi'))}`;
  }

  private answers(): boolean {
    try {
      this.search();
      return true;
    } catch {
      return false;
    }
  }

  /** The modules that Debian's slapd has, the usual schemas, and one tree in a directory. */
  private configuration(): string {
    const schemas = ['core', 'cosine', 'inetorgperson'].map((name) =>
      readFileSync(`/etc/ldap/schema/${name}.ldif`, 'utf8'),
    );
    mkdirSync(this.daemon.path('run'));
    return [
      'dn: cn=config\nobjectClass: olcGlobal\ncn: config\n',
      'dn: cn=module{0},cn=config\nobjectClass: olcModuleList\ncn: module{0}\nolcModulePath: /usr/lib/ldap\nolcModuleLoad: back_mdb\n',
      'dn: cn=schema,cn=config\nobjectClass: olcSchemaConfig\ncn: schema\n',
      ...schemas,
      'dn: olcDatabase={-1}frontend,cn=config\nobjectClass: olcDatabaseConfig\nobjectClass: olcFrontendConfig\nolcDatabase: {-1}frontend\n',
      'dn: olcDatabase={0}config,cn=config\nobjectClass: olcDatabaseConfig\nolcDatabase: {0}config\nolcRootDN: cn=admin,cn=config\n',
      [
        'dn: olcDatabase={1}mdb,cn=config',
        'objectClass: olcDatabaseConfig',
        'objectClass: olcMdbConfig',
        'olcDatabase: {1}mdb',
        `olcDbDirectory: ${this.data}`,
        `olcSuffix: ${SUFFIX}`,
        `olcRootDN: cn=admin,${SUFFIX}`,
        'olcRootPW: secret',
        'olcDbMaxSize: 10485760',
        '',
      ].join('\n'),
    ].join('\n');
  }
}
