/** How much is measured. */
export interface Sizes {
  /** Repetitions of what takes seconds; the median counts. */
  readonly runs: number
  /** Certificates of a batch. */
  readonly batch: number
  /** Batches of a run that are compared with the raw loop: one alone differs by a fifth from the next. */
  readonly pairs: number
  readonly singles: number
  readonly rsaRuns: number
  readonly rsa: number
  readonly many: number
  readonly restMs: number
  readonly rendered: number
  /** Entries of a ledger, and of a revocation list. */
  readonly ledger: number
  /** Profiles one after another, and all at once. */
  readonly profileRuns: number
  readonly profiles: number
  /** Profiles of a CA that is rotated. */
  readonly rotated: number
  readonly probes: { readonly count: number; readonly intervalMs: number; readonly measuredMs: number }
}

export const fullSizes: Sizes = {
  runs: 5,
  batch: 500,
  pairs: 3,
  singles: 30,
  rsaRuns: 3,
  rsa: 200,
  many: 5_000,
  restMs: 60_000,
  rendered: 1_000,
  ledger: 10_000,
  profileRuns: 10,
  profiles: 200,
  rotated: 50,
  probes: { count: 500, intervalMs: 60_000, measuredMs: 120_000 },
}

/** For a look at whether the benchmark still works; its figures prove nothing. */
export const quickSizes: Sizes = {
  runs: 1,
  batch: 200,
  pairs: 1,
  singles: 5,
  rsaRuns: 1,
  rsa: 20,
  many: 400,
  restMs: 5_000,
  rendered: 100,
  ledger: 1_000,
  profileRuns: 3,
  profiles: 10,
  rotated: 5,
  probes: { count: 50, intervalMs: 6000, measuredMs: 12_000 },
}
