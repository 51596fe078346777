/** Where the parts of an expansion put what a person should know. */

import type { Finding, Remark } from '../database/engines/engine.ts'

export class Findings {
  readonly refusals: Remark[] = []
  readonly warnings: Remark[] = []

  refuse(field: string, { problem, cure }: Finding): void {
    this.refusals.push({ field, problem, cure })
  }

  warn(field: string, { problem, cure }: Finding): void {
    this.warnings.push({ field, problem, cure })
  }
}

/** `spec.version: MySQL 99 is not known; leave it out.` */
export const sentence = ({ field, problem, cure }: Remark): string => `${field}: ${problem}; ${cure}.`

/** Names that must differ: the first to ask for one has it. */
export class Claims {
  readonly #holders = new Map<string, string>()

  /** Whose it is already, or undefined: now it is `holder`'s. */
  take(name: string, holder: string): string | undefined {
    const other = this.#holders.get(name)
    if (other === undefined) this.#holders.set(name, holder)
    return other
  }
}
