/** Whatever dies, is refused or is tampered with between the writes of a rotation, its material stays whole. */
import { describe, expect, it } from 'vitest'
import { trustHash } from './authority/trust.ts'
import { ApiError } from './cluster/errors.ts'
import { withVerbs } from './faults.fixture.ts'
import { certificatesOf, encodePem } from './pki/encoding/pem.ts'
import { makeRoot } from './pki/testing.ts'
import { findCondition } from './resources/conditions.ts'
import { secrets, type Secret } from './resources/core.ts'
import {
  begin,
  pemsOf,
  type Process,
  processOn,
  signal,
  type StepName,
  stepNames,
  steps,
  take,
} from './rotating.fixture.ts'
import {
  authority,
  base64,
  certificate,
  emptyCluster,
  entriesOf,
  getCertificate,
  getSecret,
  leafOf,
  person,
  put,
  secretOf,
  text,
} from './testing.ts'

/** What is the same however often a process dies: keys, stage and trust of the CA, what certificates hang under, the ledger. */
const picture = async (process: Process) => {
  const secret = await getSecret(process.cluster, 'ca-ca')
  return {
    stage: secret.metadata.annotations?.['dbtls.dev/rotation-stage'],
    keys: Object.keys(secret.data ?? {}).toSorted(),
    roots: (await pemsOf(process, 'ca.crt', 'ca-ca')).length,
    trusted: (await pemsOf(process, 'ca.crt')).length,
    reported: process.authority().status?.trustBundleHash === trustHash(certificatesOf(text(secret, 'ca.crt'))),
    signed:
      leafOf(await getSecret(process.cluster)).serialNumber ===
      (await getCertificate(process.cluster)).status?.serialNumber,
  }
}

describe('a process that dies in a step', () => {
  /** At `at`, with a certificate that waits, so that only the step itself writes. */
  const upTo = async (at: number): Promise<Process> => {
    const process = await begin(authority(), certificate())
    await take(process, ...stepNames.slice(0, at))
    return process
  }

  it.each(stepNames.map((name, at) => ({ name, at })))(
    '$name goes on where it was, at every write',
    async ({ name, at }) => {
      const calm = await upTo(at)
      const before = calm.seen.writes.length
      await steps[name](calm)
      const count = calm.seen.writes.length - before
      await calm.settle()
      const expected = await picture(calm)
      const entries = (await entriesOf(calm.cluster, 'ca')).length
      expect(count).toBeGreaterThan(1)
      for (let write = 1; write <= count; write += 1)
        for (const when of ['before', 'after'] as const) {
          const dying = await upTo(at)
          dying.seen.dieAt(dying.seen.writes.length + write, when)
          await expect(steps[name](dying)).rejects.toThrow('the process died here')
          dying.stop()
          const next = await processOn(dying.cluster, dying.clock)
          await next.settle()
          await steps[name](next)
          await next.settle()
          const label = `${name}: ${when} write ${write}`
          expect({ label, ...(await picture(next)) }).toEqual({ label, ...expected })
          // A death between the ledger and the Secret costs one entry, and never the Secret.
          const more = (await entriesOf(next.cluster, 'ca')).length - entries
          expect({ label, more: more === 0 || (name === 'prepare' && more === 1) }).toEqual({ label, more: true })
          expect(await next.settle()).toEqual([])
          next.stop()
        }
    },
  )

  it('signs one successor however often the Secret is refused', async () => {
    const { clock, cluster } = emptyCluster()
    let refused = 3
    const process = await processOn(cluster, clock, (port) =>
      withVerbs(port, {
        apply: (async (...args: Parameters<typeof port.apply>) => {
          const stage = (args[1] as Secret).metadata.annotations?.['dbtls.dev/rotation-stage']
          if (stage === 'Next' && refused > 0) {
            refused -= 1
            throw new ApiError({ status: 403, reason: 'Forbidden', message: 'quota' })
          }
          return port.apply(...args)
        }) as typeof port.apply,
      }),
    )
    await put(cluster, authority())
    await process.settle()
    for (let tries = 0; tries < 3; tries += 1) await expect(steps.prepare(process)).rejects.toThrow('forbids')
    await steps.prepare(process)
    expect(await entriesOf(cluster, 'ca')).toHaveLength(2)
  })
})

describe('the other CA in the Secret', () => {
  const at = async (...taken: StepName[]): Promise<Process> => {
    const process = await begin(authority(), certificate())
    await take(process, ...taken)
    return process
  }
  const tamper = async ({ cluster }: Process, change: Record<string, string>): Promise<void> => {
    const secret = await getSecret(cluster, 'ca-ca')
    const data = { ...secret.data, ...Object.fromEntries(Object.entries(change).map(([key, of]) => [key, base64(of)])) }
    await cluster.update(secrets, { ...secret, data }, { fieldManager: 'somebody' })
  }

  it.each(['next', 'former'] as const)('is not taken where the ledger does not have it: %s', async (name) => {
    const process = await at(
      ...(name === 'next' ? (['prepare'] as const) : (['prepare', 'publish', 'switch', 'drop'] as const)),
    )
    const forged = await makeRoot({ commonName: 'ca of tests' })
    const key = `${name}.key`
    await tamper(process, {
      [`${name}.crt`]: encodePem('CERTIFICATE', forged.certificate),
      [key]: encodePem('PRIVATE KEY', forged.key.pkcs8),
    })
    await process.settle()
    const ready = findCondition(process.authority().status?.conditions, 'Ready')
    expect(ready).toMatchObject({ status: 'False', reason: 'AuthoritySecretInvalid' })
    expect(ready?.message).toContain(`${name}.crt is not in the ledger`)
    await expect(process.keyring.load(process.authority())).rejects.toThrow('not in the ledger')
    const next = name === 'next' ? steps.publish : steps.finish
    await expect(next(process)).rejects.toThrow('not in the ledger')
    // Whoever lives from what was delivered goes on.
    expect(leafOf(await getSecret(process.cluster)).serialNumber).toBe(
      (await getCertificate(process.cluster)).status?.serialNumber,
    )
  })

  it('is not brought in by a mark alone', async () => {
    const process = await at('prepare')
    const secret = await getSecret(process.cluster, 'ca-ca')
    const annotations = { ...secret.metadata.annotations, 'dbtls.dev/rotation-stage': 'Switched' }
    await process.cluster.update(
      secrets,
      { ...secret, metadata: { ...secret.metadata, annotations } },
      { fieldManager: 'somebody' },
    )
    await process.settle()
    expect(findCondition(process.authority().status?.conditions, 'Ready')).toMatchObject({
      reason: 'AuthoritySecretInvalid',
    })
  })

  it.each([
    { stage: 'Next', taken: ['prepare'] },
    { stage: 'Both', taken: ['prepare', 'publish'] },
    { stage: 'Switched', taken: ['prepare', 'publish', 'switch'] },
    { stage: 'Dropped', taken: ['prepare', 'publish', 'switch', 'drop'] },
  ] as const)(
    'stays at $stage through what is written besides: a lost mark, a renewal, a passphrase',
    async ({ stage, taken }) => {
      const process = await at(...taken)
      const { cluster } = process
      const found = async () => {
        const secret = await getSecret(cluster, 'ca-ca')
        const { other } = await process.rotator.look(process.authority(), signal)
        return { mark: secret.metadata.annotations?.['dbtls.dev/rotation-stage'], other: other?.fingerprint }
      }
      const before = await found()
      expect(before.mark).toBe(stage)
      const leaf = leafOf(await getSecret(cluster)).serialNumber

      const secret = await getSecret(cluster, 'ca-ca')
      const { 'dbtls.dev/rotation-stage': _, ...annotations } = secret.metadata.annotations ?? {}
      await cluster.update(
        secrets,
        { ...secret, metadata: { ...secret.metadata, annotations } },
        { fieldManager: 'somebody' },
      )
      await process.settle()
      expect(await found()).toEqual(before)

      const serial = process.authority().status?.certificate?.serialNumber
      await put(cluster, authority({ maxPathLength: 3 }))
      await process.settle()
      expect(process.authority().status?.certificate?.serialNumber).not.toBe(serial)
      expect(await found()).toEqual(before)

      for (const passphrase of [{ passphrase: 'one' }, { passphrase: 'two', 'passphrase.previous': 'one' }]) {
        await cluster.apply(secrets, secretOf('p', passphrase), person)
        await put(cluster, authority({ maxPathLength: 3, privateKey: { passphraseSecretRef: { name: 'p' } } }))
        await process.settle()
        const now = await getSecret(cluster, 'ca-ca')
        for (const key of Object.keys(now.data ?? {}).filter((one) => one.endsWith('.key')))
          expect(text(now, key)).toContain('ENCRYPTED PRIVATE KEY')
        expect(await found()).toEqual(before)
      }
      await cluster.apply(secrets, secretOf('p', { passphrase: 'two' }), person)
      expect(await found()).toEqual(before)
      expect(leafOf(await getSecret(cluster)).serialNumber).toBe(leaf)
      expect(await process.settle()).toEqual([])
    },
    300_000,
  )
})
