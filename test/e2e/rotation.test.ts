import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, run } from '../controlplane/harness/index.ts'
import { sharedControlPlane } from '../controlplane/harness/shared.ts'
import type { SecretThing } from './support/api.ts'
import { textOf } from './support/api.ts'
import { entriesFor, ledgerOf, ledgerProblems } from './support/ledger.ts'
import { authority, certificate, everyItem, opaqueSecret } from './support/manifests.ts'
import { certificatesIn, leafOf } from './support/material.ts'
import { Recorder } from './support/recorder.ts'
import { Rig, authorities, certificates } from './support/rig.ts'

const ns = 'e2e-rotation'
const password = 'a-password-of-a-test'

/** The bytes that must not change when a CA is renewed with its key. */
const identityOf = (pem: string) => {
  const [ca] = certificatesIn(pem)
  if (ca === undefined) throw new Error('no certificate')
  const key = ca.publicKey.export({ type: 'spki', format: 'der' }).toString('hex')
  // 0603551d0e: the object identifier of the subject key identifier (RFC 5280 §4.2.1.2).
  const der = ca.raw.toString('hex')
  const at = der.indexOf('0603551d0e')
  return { subject: ca.subject, key, subjectKeyId: at < 0 ? '' : der.slice(at, at + 70) }
}

describe('certificates and authorities with a short life', () => {
  let rig: Rig
  let recorder: Recorder

  beforeAll(async () => {
    rig = await Rig.start(sharedControlPlane(), { release: 'e2e-rotation-operator' }, [ns])
    await rig.operator()
    recorder = new Recorder(rig.api, ns, { password })
    const items = everyItem.filter(({ key }) => key !== 'password')
    await rig.apply(
      opaqueSecret(ns, 'word', { password }),
      authority(ns, 'ca'),
      certificate(ns, 'short', {
        duration: '20s',
        keystore: { passwordSecretRef: { name: 'word' } },
        secret: { type: 'Opaque', items },
      }),
      certificate(ns, 'same-key', { duration: '24s', privateKey: { rotation: 'Never' } }),
      // A root that is renewed every 15 s or so, long before the leaf under it.
      authority(ns, 'brief', { duration: '60s', renewBefore: '45s' }),
      certificate(ns, 'under-brief', { authorityRef: { name: 'brief' }, duration: '60s', renewBefore: '5s' }),
      authority(ns, 'long-root', { maxPathLength: 1 }),
      authority(ns, 'brief-intermediate', {
        source: { intermediate: { authorityRef: { name: 'long-root' } } },
        ...{ duration: '60s', renewBefore: '45s' },
      }),
      certificate(ns, 'under-intermediate', {
        authorityRef: { name: 'brief-intermediate' },
        ...{ duration: '60s', renewBefore: '5s' },
      }),
    )
    for (const name of ['short', 'same-key', 'under-brief', 'under-intermediate'])
      await rig.ready(ns, certificates, name)
  })
  afterAll(async () => {
    await recorder.stop()
    await rig.stop()
  })

  const verifies = async (root: string, secret: SecretThing): Promise<string> => {
    const dir = join(rig.plane.tempDir('verify'), 'x')
    mkdirSync(dir)
    writeFileSync(join(dir, 'root.pem'), root)
    writeFileSync(join(dir, 'chain.pem'), textOf(secret, 'tls.crt'))
    const chain = ['-CAfile', join(dir, 'root.pem'), '-untrusted', join(dir, 'chain.pem'), join(dir, 'chain.pem')]
    const { stdout, stderr } = await run('openssl', ['verify', '-x509_strict', '-check_ss_sig', ...chain])
    return stderr + stdout.replace(`${join(dir, 'chain.pem')}: `, '')
  }

  it.concurrent(
    'renews a certificate by itself, again and again, each version of one generation and valid',
    async () => {
      await eventually(
        'four renewals',
        async () => new Set(recorder.of('short-tls').map(({ serial }) => serial)).size > 4,
        {
          timeoutMs: 150_000,
          everyMs: 200,
        },
      )
      const keys = new Set(recorder.of('short-tls').map(({ secret }) => textOf(secret, 'tls.key')))
      expect(keys.size).toBeGreaterThan(4)
      expect(await recorder.problems()).toEqual([])
      const entries = await entriesFor(rig.api, ns, 'short')
      // Each names the one before it, so that the ledger tells the whole story.
      const serials = [...new Set(recorder.of('short-tls').map(({ serial }) => serial))]
      for (const [at, serial] of serials.entries()) {
        const entry = entries.find(({ spec }) => spec.serialNumber === serial)
        expect(entry?.spec.supersedes?.serialNumber).toBe(at === 0 ? undefined : serials[at - 1])
      }
    },
  )

  it.concurrent('keeps the key where rotation is Never', async () => {
    await eventually(
      'two renewals',
      async () => new Set(recorder.of('same-key-tls').map(({ serial }) => serial)).size > 2,
      {
        timeoutMs: 150_000,
        everyMs: 200,
      },
    )
    expect(new Set(recorder.of('same-key-tls').map(({ secret }) => textOf(secret, 'tls.key'))).size).toBe(1)
  })

  it.concurrent(
    'renews a root with its key: old leaves stay valid, and learn of it without a new certificate',
    async () => {
      const before = await rig.secret(ns, 'brief-ca')
      const leaf = await rig.secret(ns, 'under-brief-tls')
      const changed = (secret: SecretThing) => textOf(secret, 'tls.crt') !== textOf(before, 'tls.crt')
      const after = await rig.secretUntil('the root to be renewed', ns, 'brief-ca', changed, 120_000)
      expect(identityOf(textOf(after, 'tls.crt'))).toEqual(identityOf(textOf(before, 'tls.crt')))
      expect(identityOf(textOf(after, 'tls.crt')).subjectKeyId).not.toBe('')
      expect(textOf(after, 'tls.key')).toBe(textOf(before, 'tls.key'))
      expect(await verifies(textOf(after, 'tls.crt'), leaf)).toBe('OK\n')
      const told = await rig.secretUntil(
        'the leaf to learn of it',
        ns,
        'under-brief-tls',
        (secret) => textOf(secret, 'ca.crt') === textOf(after, 'tls.crt'),
      )
      expect(leafOf(told).raw.equals(leafOf(leaf).raw)).toBe(true)
      const { status } = await rig.ready(ns, authorities, 'brief')
      expect(status?.certificate?.serialNumber).not.toBe(leafOf(before).serialNumber)
    },
  )

  it.concurrent('renews an intermediate with its key: the chain of its leaves is exchanged, they are not', async () => {
    const before = await rig.secret(ns, 'brief-intermediate-ca')
    const leaf = await rig.secret(ns, 'under-intermediate-tls')
    const changed = (secret: SecretThing) => textOf(secret, 'tls.crt') !== textOf(before, 'tls.crt')
    const after = await rig.secretUntil('the intermediate to be renewed', ns, 'brief-intermediate-ca', changed, 120_000)
    expect(identityOf(textOf(after, 'tls.crt'))).toEqual(identityOf(textOf(before, 'tls.crt')))
    const [newer] = certificatesIn(textOf(after, 'tls.crt'))
    const told = await rig.secretUntil(
      'the chain to be exchanged',
      ns,
      'under-intermediate-tls',
      (secret) => newer !== undefined && certificatesIn(textOf(secret, 'tls.crt'))[1]?.raw.equals(newer.raw) === true,
    )
    expect(leafOf(told).raw.equals(leafOf(leaf).raw)).toBe(true)
    expect(textOf(told, 'ca.crt')).toBe(textOf(leaf, 'ca.crt'))
    expect(await verifies(textOf(told, 'ca.crt'), told)).toBe('OK\n')
    // A consumer that still sends the old chain is believed, too.
    expect(await verifies(textOf(told, 'ca.crt'), leaf)).toBe('OK\n')
  })

  it('has shown nobody a mixed, an expired or an unrecorded generation', async () => {
    expect(await recorder.problems()).toEqual([])
    expect(ledgerProblems(await ledgerOf(rig.api, ns), recorder.serials())).toEqual([])
  })
})
