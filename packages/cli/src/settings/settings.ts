import type { CountName, FlagName, ListName, SettingName, TextName } from './table.ts';

export type SettingValue = string | number | boolean | readonly string[];

/** Where a value comes from, the strongest first. */
export const LAYERS = ['option', 'environment', 'file', 'default'] as const;
export type Layer = (typeof LAYERS)[number];

export interface Setting {
  readonly value: SettingValue;
  readonly layer: Layer;
  /** The option, variable or file. */
  readonly where: string;
}

/** The settings in effect, each from the strongest place that has it. */
export class Settings {
  private readonly values: ReadonlyMap<SettingName, Setting>;

  constructor(values: ReadonlyMap<SettingName, Setting>) {
    this.values = values;
  }

  /** The same settings with some replaced; undefined takes one away. */
  replacing(changes: ReadonlyMap<SettingName, Setting | undefined>): Settings {
    const values = new Map(this.values);
    for (const [name, setting] of changes) {
      if (setting === undefined) values.delete(name);
      else values.set(name, setting);
    }
    return new Settings(values);
  }

  /** Where the value comes from, or undefined when there is none. */
  find(name: SettingName): Setting | undefined {
    return this.values.get(name);
  }

  text(name: TextName): string | undefined {
    return this.values.get(name)?.value as string | undefined;
  }

  count(name: CountName): number | undefined {
    return this.values.get(name)?.value as number | undefined;
  }

  flag(name: FlagName): boolean {
    return this.values.get(name)?.value === true;
  }

  list(name: ListName): readonly string[] {
    return (this.values.get(name)?.value ?? []) as readonly string[];
  }
}
