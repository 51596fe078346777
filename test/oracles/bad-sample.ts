/** What samples with a fault have in common. */
import type { CertificatePlan } from '../../src/pki/plan.ts'
import { type Authority, forge, type Forgery, newKey, planLeaf } from './forge.ts'
import type { Sample } from './samples.ts'

export interface BadSample {
  readonly name: string
  /** Who refuses it, in the order of the judges. Whoever is not named here accepts it. */
  readonly foundBy: string
  readonly make: () => Promise<Omit<Sample, 'name'>>
}

/** A leaf of the usual kind but for the changes, whatever its CA allows. */
export const leafUnder = async (
  authority: Authority,
  changes: Partial<CertificatePlan> = {},
  forgery?: Forgery,
): Promise<Omit<Sample, 'name'>> => {
  const free = { signer: { ...authority.signer, notBefore: -Infinity, notAfter: Infinity } }
  const plan = planLeaf(free, await newKey())
  const leaf = await forge({ ...plan, ...changes }, authority.signer, forgery)
  return { chain: [leaf, ...authority.chain], lists: [], purposes: ['server'], plan }
}
