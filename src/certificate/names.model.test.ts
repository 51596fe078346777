import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Informer } from '../cluster/cache/informer.ts'
import { keyOf, type KubeObject } from '../cluster/port.ts'
import type { Context } from '../control/context.ts'
import { never, stubContext } from '../control/testing.ts'
import type { EntryState, LedgerEntry, Revocation } from '../ledger/entry.ts'
import { LedgerKeeper } from '../ledger/keeper.ts'
import { entryOf } from '../ledger/testing.ts'
import { distinguishedName } from '../pki/names/names.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import { silentLogger } from '../runtime/log.ts'
import { commonNameHolder, nameOwner, newestOf, replacedNamesake } from './rivals.ts'

/**
 * Any history of holders that want each other's common names, of Secrets that cannot be written, of renewals, requests,
 * deletions and restores: the supersede rule never marks or revokes a certificate that its holder reports and whose name it
 * has, what it holds back comes when it is due, and no name is given away under its holder.
 */

const minute = 60_000
const names = ['foo', 'bar'] as const
const holders = ['x', 'y', 'z'] as const
type Name = (typeof names)[number]
type HolderName = (typeof holders)[number]

const which = fc.constantFrom(...holders)
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('want' as const), holder: which, name: fc.constantFrom(...names) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('renew' as const), holder: which }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('secret' as const), holder: which, refused: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('time' as const), minutes: fc.integer({ min: 0, max: 30 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete' as const), holder: which }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remake' as const), holder: which }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('request' as const), name: fc.constantFrom(...names) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restore' as const), order: fc.infiniteStream(fc.nat(1000)) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('revoking' as const), on: fc.boolean() }) },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

type Changed<T> = { -readonly [K in keyof T]: T[K] }

class World {
  readonly violations: string[] = []
  readonly clock
  readonly context: Context
  readonly #ledger: Map<string, LedgerEntry>
  readonly #certificates: Map<string, DatabaseCertificate>
  readonly #authority: CertificateAuthority
  #keeper: LedgerKeeper
  #serial = 0
  #made = 0
  #writes = 0
  readonly #wanted = new Map<HolderName, Name>()
  readonly #refused = new Set<HolderName>()
  /** What was signed and did not reach its Secret. */
  readonly #kept = new Map<HolderName, LedgerEntry>()

  constructor() {
    const { context, stores, clock } = stubContext({
      list: (_: unknown, { fieldSelector }: { fieldSelector: string }) => {
        const found = stores.certificates.get(`data/${fieldSelector.replace('metadata.name=', '')}`)
        return Promise.resolve({ items: found === undefined ? [] : [found] })
      },
      create: () => Promise.resolve({}),
      apply: (_: unknown, object: KubeObject & { spec?: { revocation?: Revocation } }) => {
        this.#writes += 1
        if (object.spec?.revocation !== undefined)
          this.#change(object, { state: 'Revoked', revocation: object.spec.revocation })
        return Promise.resolve(object)
      },
      updateStatus: (_: unknown, object: KubeObject & { status: { state: EntryState } }) => {
        const { state } = object.status
        this.#change(object, state === 'Revoked' ? { marked: state } : { state, marked: state })
        return Promise.resolve(object)
      },
    })
    this.clock = clock
    this.#ledger = stores.ledger as unknown as Map<string, LedgerEntry>
    this.#certificates = stores.certificates as unknown as Map<string, DatabaseCertificate>
    const store = {
      get: (key: string) => this.#ledger.get(key),
      by: (index: string, key: string) =>
        [...this.#ledger.values()].filter((one) => index !== 'commonName' || `data/ca ${one.commonName}` === key),
    }
    const ledger = { store, wrote: () => undefined } as unknown as Informer<LedgerEntry>
    this.context = { ...context, caches: { ...context.caches, ledger, namespaces: undefined } }
    this.#authority = {
      metadata: { namespace: 'data', name: 'ca', uid: 'ca-uid' },
      spec: { ledger: { keepExpiredFor: '90d' }, policy: { uniqueCommonName: true }, crl: { onSupersede: 'Keep' } },
    } as unknown as CertificateAuthority
    stores.authorities.set('data/ca', this.#authority)
    this.#keeper = this.#newKeeper()
  }

  #newKeeper(): LedgerKeeper {
    return new LedgerKeeper(this.context, { listed: () => Promise.resolve(undefined) })
  }

  get #now(): number {
    return Math.floor(this.clock.now() / 1000) * 1000
  }

  /** Reported by its holder, which is not told that somebody else has the name. */
  #isRightful(entry: LedgerEntry): boolean {
    const holder = this.#certificates.get(entry.holderKey ?? '')
    return (
      holder?.status?.serialNumber === entry.serialNumber &&
      commonNameHolder(this.context, holder, entry.commonName) === undefined
    )
  }

  #change({ metadata }: KubeObject, change: Partial<LedgerEntry>): void {
    const entry = this.#ledger.get(`data/${metadata.name}`)
    if (entry === undefined) throw new Error(`no entry ${metadata.name}`)
    if ((change.state === 'Superseded' || change.state === 'Revoked') && this.#isRightful(entry))
      this.violations.push(`${entry.serialNumber} of ${entry.holderKey} was ${change.state} in use`)
    this.#ledger.set(keyOf(entry), { ...entry, ...change })
  }

  #record(change: Partial<LedgerEntry>): LedgerEntry {
    this.#serial += 1
    const serial = String(this.#serial).padStart(3, '0')
    const createdAt = this.#now
    const entry = entryOf(serial, { notBefore: createdAt - 5 * minute, createdAt, ...change })
    this.#ledger.set(keyOf(entry), entry)
    return entry
  }

  #entry(serial: string | undefined): LedgerEntry | undefined {
    return [...this.#ledger.values()].find(({ serialNumber }) => serialNumber === serial)
  }

  #certificate(name: HolderName): DatabaseCertificate {
    const known = this.#certificates.get(`data/${name}`)
    return known ?? this.#make(name, undefined)
  }

  #make(name: HolderName, serialNumber: string | undefined): DatabaseCertificate {
    this.#made += 1
    const creationTimestamp = new Date(this.#now).toISOString()
    const made = {
      metadata: { namespace: 'data', name, uid: `u${String(this.#made).padStart(3, '0')}`, creationTimestamp },
      spec: { authorityRef: { name: 'ca' } },
      status: { serialNumber },
    } as unknown as DatabaseCertificate
    this.#certificates.set(`data/${name}`, made)
    return made
  }

  /** As the controller does: nothing without the name; what was kept goes first; a revoked one is replaced. */
  #look(name: HolderName, renews = false): void {
    const wanted = this.#wanted.get(name)
    const certificate = this.#certificates.get(`data/${name}`)
    if (wanted === undefined || certificate === undefined) return
    if (commonNameHolder(this.context, certificate, wanted) !== undefined) return
    const reported = this.#entry(certificate.status?.serialNumber)
    if (!renews && reported?.commonName === wanted && reported.state !== 'Revoked') return
    const kept = this.#entry(this.#kept.get(name)?.serialNumber)
    const issued =
      kept?.commonName === wanted && kept.holder === certificate.metadata.uid && kept.state !== 'Revoked'
        ? kept
        : this.#issue(certificate, wanted, reported)
    this.#kept.set(name, issued)
    if (this.#refused.has(name)) return
    this.#kept.delete(name)
    this.#certificates.set(`data/${name}`, {
      ...certificate,
      status: { serialNumber: issued.serialNumber },
    })
  }

  #issue(certificate: DatabaseCertificate, commonName: Name, reported: LedgerEntry | undefined): LedgerEntry {
    const namesake = replacedNamesake(this.context, certificate, distinguishedName({ commonName }))
    const holder = certificate.metadata.uid
    return this.#record({
      commonName,
      holder,
      holderKey: keyOf(certificate),
      supersedes: reported?.serialNumber ?? namesake,
      takesName: namesake !== undefined,
    })
  }

  #isComing(name: HolderName, serialNumber: string): boolean {
    const entry = this.#entry(serialNumber)
    const uid = this.#certificates.get(`data/${name}`)?.metadata.uid
    return entry?.state === 'Valid' && entry.commonName === this.#wanted.get(name) && entry.holder === uid
  }

  #request(commonName: Name): void {
    const others = [...this.#ledger.values()].filter((one) => one.commonName === commonName)
    if (nameOwner(this.context, this.#authority, commonName) !== undefined) return
    const held = [...this.#certificates.values()].find(
      ({ status }) => this.#entry(status?.serialNumber)?.commonName === commonName,
    )
    if (held !== undefined) this.violations.push(`${commonName} of ${held.metadata.name} was signed for a request`)
    const coming = [...this.#kept].find(
      ([name, { serialNumber }]) => this.#wanted.get(name) === commonName && this.#isComing(name, serialNumber),
    )
    if (coming !== undefined) this.violations.push(`${commonName} on its way to ${coming[0]} was signed for a request`)
    const supersedes = newestOf(others.filter(({ state }) => state === 'Valid'))?.serialNumber
    const nobody = { holder: undefined, holderKey: undefined }
    this.#record({ commonName, ...nobody, supersedes, takesName: supersedes !== undefined })
  }

  /** Entries are made anew in any order, holders in that of their age; the process is another one. */
  #restore(order: Iterator<number>): void {
    this.clock.setNow(this.clock.now() + 120 * minute)
    const ages = [...this.#ledger.values()].map((entry) => [order.next().value as number, entry] as const)
    for (const [at, entry] of ages)
      this.#ledger.set(keyOf(entry), { ...entry, createdAt: this.#now + at * 1000, isRestored: true })
    this.clock.setNow(this.clock.now() + 20 * minute)
    const all = [...this.#certificates.values()].toSorted((a, b) => (ageOf(a) < ageOf(b) ? -1 : 1))
    for (const one of all) {
      this.clock.setNow(this.clock.now() + 1000)
      const metadata = { ...one.metadata, creationTimestamp: new Date(this.#now).toISOString() }
      this.#certificates.set(keyOf(one), { ...one, metadata })
    }
    this.#kept.clear()
    this.#keeper = this.#newKeeper()
  }

  async take(one: Step): Promise<void> {
    if (one.do === 'want') {
      this.#certificate(one.holder)
      this.#wanted.set(one.holder, one.name)
    } else if (one.do === 'renew') this.#look(one.holder, true)
    else if (one.do === 'secret' && one.refused) this.#refused.add(one.holder)
    else if (one.do === 'secret') this.#refused.delete(one.holder)
    else if (one.do === 'delete') this.#certificates.delete(`data/${one.holder}`)
    else if (one.do === 'remake')
      this.#make(one.holder, this.#certificates.get(`data/${one.holder}`)?.status?.serialNumber)
    else if (one.do === 'request') this.#request(one.name)
    else if (one.do === 'restore') this.#restore(one.order[Symbol.iterator]())
    else if (one.do === 'revoking')
      (this.#authority.spec as Changed<CertificateAuthority['spec']>).crl = {
        onSupersede: one.on ? 'Revoke' : 'Keep',
      } as CertificateAuthority['spec']['crl']
    else await this.#pass(one.minutes)
    for (const name of holders) this.#look(name)
    this.clock.setNow(this.clock.now() + 100)
  }

  async #pass(minutes: number): Promise<void> {
    this.clock.setNow(this.clock.now() + minutes * minute)
    await this.#keeper.reconcile('data/ca', { signal: never, log: silentLogger(), reconcileId: '1' })
    for (const name of holders) this.#look(name)
  }

  /** Nobody is refused any more, and time passes: what is wrong then, and whether anything is still written. */
  async end(): Promise<string[]> {
    this.#refused.clear()
    for (let passes = 0; passes < 8; passes += 1) await this.#pass(11)
    const before = this.#writes
    await this.#pass(11)
    const wrong = [...this.violations]
    if (this.#writes !== before) wrong.push('something is written at rest')
    const owners = new Map<string, string>()
    for (const certificate of this.#certificates.values()) {
      const entry = this.#entry(certificate.status?.serialNumber)
      if (entry === undefined || !this.#isRightful(entry)) continue
      if (entry.state !== 'Valid') wrong.push(`${entry.serialNumber} is in use and ${entry.state}`)
      const other = owners.get(entry.commonName ?? '')
      if (other !== undefined) wrong.push(`${other} and ${certificate.metadata.name} both have ${entry.commonName}`)
      owners.set(entry.commonName ?? '', certificate.metadata.name)
    }
    for (const name of names) {
      // Serial numbers are in the order of signing, whatever a restore made of the dates.
      const last = [...this.#ledger.values()].toSorted((a, b) => (a.serialNumber < b.serialNumber ? -1 : 1))
      const newest = last.findLast(({ commonName }) => commonName === name)
      if (newest?.holderKey === undefined && (newest?.state ?? 'Valid') !== 'Valid')
        wrong.push(`${newest?.serialNumber} was signed last for ${name} and is ${newest?.state}`)
    }
    return wrong
  }
}

const ageOf = ({ metadata }: DatabaseCertificate): string => `${metadata.creationTimestamp} ${metadata.uid}`

describe('any history of names', () => {
  it('never costs a holder the certificate that it uses, and gives each name to one', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
        const world = new World()
        for (const one of steps) await world.take(one)
        expect(await world.end()).toEqual([])
      }),
      { numRuns: 2000 },
    )
  })
})
