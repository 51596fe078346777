/** Answers undefined where all is well, and otherwise one sentence that says what is not. */
export type HealthCheck = () => string | undefined

export interface Verdict {
  readonly ok: boolean
  readonly checks: readonly { readonly name: string; readonly problem: string | undefined }[]
}

/** Runs every check, so that one look shows every problem. A check that throws has failed. */
export const judge = (checks: ReadonlyMap<string, HealthCheck>): Verdict => {
  const results = Array.from(checks, ([name, check]) => ({ name, problem: outcomeOf(check) }))
  return { ok: results.every(({ problem }) => problem === undefined), checks: results }
}

const outcomeOf = (check: HealthCheck): string | undefined => {
  try {
    return check()
  } catch {
    return 'the check itself failed'
  }
}

/** The form of Kubernetes' own `/healthz?verbose`. */
export const describeVerdict = (verdict: Verdict): string => {
  const lines = verdict.checks.map(({ name, problem }) =>
    problem === undefined ? `[+]${name} ok` : `[-]${name} failed: ${problem}`,
  )
  return [...lines, verdict.ok ? 'check passed' : 'check failed', ''].join('\n')
}

/** Named checks. Live: a restart would help. Ready: able to do its work now. */
export class Health {
  readonly #live = new Map<string, HealthCheck>()
  readonly #ready = new Map<string, HealthCheck>()

  addLive(name: string, check: HealthCheck): void {
    this.#live.set(name, check)
  }

  addReady(name: string, check: HealthCheck): void {
    this.#ready.set(name, check)
  }

  live(): Verdict {
    return judge(this.#live)
  }

  ready(): Verdict {
    return judge(this.#ready)
  }
}
