/** Behaviours of the port: server-side apply. */
import { describe, expect, it } from 'vitest'
import { configMaps, secrets } from '../../src/resources/core.ts'
import { databaseCertificates } from '../../src/resources/database-certificate.ts'
import { base64, certificate, configMap, other, ownerOf, secret, writer } from './target.ts'
import type { Suite } from './cluster-suite.ts'

const conflict = { status: 409, reason: 'Conflict' }
const force = { ...writer, force: true }

export const applies = ({ cluster, namespace }: Suite): void => {
  describe('apply', () => {
    it('creates what is missing and changes what is there', async () => {
      const made = await cluster().apply(secrets, secret(namespace(), 'applied', { a: 'one' }), writer)
      const changed = await cluster().apply(secrets, secret(namespace(), 'applied', { a: 'two' }), writer)
      expect(changed.metadata.uid).toBe(made.metadata.uid)
      expect(changed.data).toEqual({ a: base64('two') })
    })
    it('answers with metadata alone when asked', async () => {
      const object = secret(namespace(), 'partial', { a: 'one' }, { labels: { team: 'orders' } })
      const answer = await cluster().apply(secrets, object, { ...writer, metadataOnly: true })
      expect(answer).toMatchObject({ kind: 'Secret', metadata: { name: 'partial', labels: { team: 'orders' } } })
      expect(answer.data).toBeUndefined()
      const live = await cluster().get(secrets, { namespace: namespace(), name: 'partial' })
      expect(answer.metadata.resourceVersion).toBe(live.metadata.resourceVersion)
      expect(live.data).toEqual({ a: base64('one') })
    })
    it('does not move the resourceVersion when nothing changes', async () => {
      const made = await cluster().apply(secrets, secret(namespace(), 'no-op'), writer)
      const again = await cluster().apply(secrets, secret(namespace(), 'no-op'), writer)
      expect(again.metadata.resourceVersion).toBe(made.metadata.resourceVersion)
    })
    it('removes what its manager no longer says', async () => {
      const labels = { keep: 'yes', drop: 'yes' }
      await cluster().apply(secrets, secret(namespace(), 'dropping', { a: '1', b: '2' }, { labels }), writer)
      const smaller = secret(namespace(), 'dropping', { a: '1' }, { labels: { keep: 'yes' } })
      const after = await cluster().apply(secrets, smaller, writer)
      expect(after.data).toEqual({ a: base64('1') })
      expect(after.metadata.labels).toEqual({ keep: 'yes' })
    })
    it('leaves what others added', async () => {
      const made = await cluster().apply(secrets, secret(namespace(), 'foreign', { a: '1' }), writer)
      const metadata = { ...made.metadata, annotations: { theirs: 'yes' } }
      await cluster().update(secrets, { ...made, metadata, data: { ...made.data, b: base64('2') } }, other)
      const after = await cluster().apply(secrets, secret(namespace(), 'foreign', { c: '3' }), writer)
      expect(after.data).toEqual({ b: base64('2'), c: base64('3') })
      expect(after.metadata.annotations).toEqual({ theirs: 'yes' })
    })
    it('refuses to change what another manager owns, and names the field', async () => {
      await cluster().apply(configMaps, configMap(namespace(), 'contested', { a: 'one' }), other)
      const apply = cluster().apply(configMaps, configMap(namespace(), 'contested', { a: 'two' }), writer)
      await expect(apply).rejects.toMatchObject({
        ...conflict,
        causes: [expect.objectContaining({ reason: 'FieldManagerConflict', field: '.data.a' })],
      })
    })
    it('takes a field over when forced, and then nobody else owns it', async () => {
      await cluster().apply(configMaps, configMap(namespace(), 'taken', { a: 'one' }), other)
      const forced = await cluster().apply(configMaps, configMap(namespace(), 'taken', { a: 'two' }), force)
      expect(forced.data).toEqual({ a: 'two' })
      const after = await cluster().apply(configMaps, configMap(namespace(), 'taken', { b: 'x' }), writer)
      expect(after.data).toEqual({ b: 'x' })
    })
    it('shares a field of the same value, which stays until the last owner drops it', async () => {
      await cluster().apply(configMaps, configMap(namespace(), 'shared', { a: 'same' }), other)
      await cluster().apply(configMaps, configMap(namespace(), 'shared', { a: 'same', b: 'mine' }), writer)
      const one = await cluster().apply(configMaps, configMap(namespace(), 'shared', { b: 'mine' }), writer)
      expect(one.data).toEqual({ a: 'same', b: 'mine' })
      const none = await cluster().apply(configMaps, configMap(namespace(), 'shared', {}), other)
      expect(none.data).toEqual({ b: 'mine' })
    })
    it('an update takes fields over from an applier, which then conflicts', async () => {
      const made = await cluster().apply(configMaps, configMap(namespace(), 'edited', { a: 'one' }), writer)
      await cluster().update(configMaps, { ...made, data: { a: 'by hand' } }, other)
      const apply = cluster().apply(configMaps, configMap(namespace(), 'edited', { a: 'one' }), writer)
      await expect(apply).rejects.toMatchObject(conflict)
    })
    it('does not remove what its manager made by create', async () => {
      await cluster().create(configMaps, configMap(namespace(), 'created', { a: 'one', b: 'two' }), writer)
      const after = await cluster().apply(configMaps, configMap(namespace(), 'created', { a: 'one' }), writer)
      expect(after.data).toEqual({ a: 'one', b: 'two' })
    })
    it('keeps lists of a custom resource whole', async () => {
      const first = certificate(namespace(), 'lists', { dnsNames: ['a.data.svc', 'b.data.svc'] })
      await cluster().apply(databaseCertificates, first, writer)
      const second = certificate(namespace(), 'lists', { dnsNames: ['c.data.svc'] })
      const after = await cluster().apply(databaseCertificates, second, writer)
      expect(after.spec.dnsNames).toEqual(['c.data.svc'])
      expect(after.metadata.generation).toBe(2)
    })
    it('does not count a generation for metadata', async () => {
      await cluster().apply(databaseCertificates, certificate(namespace(), 'labels'), writer)
      const labelled = certificate(namespace(), 'labels', {}, { labels: { a: 'b' } })
      expect((await cluster().apply(databaseCertificates, labelled, writer)).metadata.generation).toBe(1)
    })
    it('merges owner references by uid', async () => {
      const mine = await cluster().create(configMaps, configMap(namespace(), 'owner-mine', {}), writer)
      const theirs = await cluster().create(configMaps, configMap(namespace(), 'owner-theirs', {}), writer)
      const referring = (owner: typeof mine, controller: boolean) =>
        secret(namespace(), 'referred', {}, { ownerReferences: [{ ...ownerOf(owner), controller }] })
      await cluster().apply(secrets, referring(theirs, false), other)
      const both = await cluster().apply(secrets, referring(mine, true), writer)
      expect(both.metadata.ownerReferences?.map(({ name }) => name).toSorted()).toEqual(['owner-mine', 'owner-theirs'])
      const one = await cluster().apply(secrets, secret(namespace(), 'referred', {}), writer)
      expect(one.metadata.ownerReferences?.map(({ name }) => name)).toEqual(['owner-theirs'])
    })
    it('merges finalizers as a set', async () => {
      const holding = (finalizer: string) => configMap(namespace(), 'held', {}, { finalizers: [finalizer] })
      await cluster().apply(configMaps, holding('dbtls.dev/theirs'), other)
      const both = await cluster().apply(configMaps, holding('dbtls.dev/mine'), writer)
      expect(both.metadata.finalizers?.toSorted()).toEqual(['dbtls.dev/mine', 'dbtls.dev/theirs'])
      const one = await cluster().apply(configMaps, configMap(namespace(), 'held', {}), writer)
      expect(one.metadata.finalizers).toEqual(['dbtls.dev/theirs'])
      await cluster().apply(configMaps, configMap(namespace(), 'held', {}), other)
    })
    it('writes nothing in a dry run', async () => {
      const made = await cluster().apply(secrets, secret(namespace(), 'dry-apply', { a: '1' }), writer)
      const dry = await cluster().apply(secrets, secret(namespace(), 'dry-apply', { a: '2' }), {
        ...writer,
        dryRun: true,
      })
      expect(dry.data).toEqual({ a: base64('2') })
      expect(await cluster().get(secrets, { namespace: namespace(), name: 'dry-apply' })).toEqual(made)
    })
    it('keeps keys that JavaScript gives a meaning', async () => {
      const odd: Record<string, string> = JSON.parse('{"__proto__":"a","constructor":"b"}')
      const made = await cluster().apply(configMaps, configMap(namespace(), 'odd', odd), writer)
      expect(JSON.parse(JSON.stringify(made.data))).toEqual(odd)
      const after = await cluster().apply(configMaps, configMap(namespace(), 'odd', { constructor: 'b' }), writer)
      expect(Object.keys(after.data ?? {})).toEqual(['constructor'])
    })
  })
}

export const preconditions = ({ cluster, namespace }: Suite): void => {
  describe('apply with preconditions', () => {
    const stale = async (name: string) => {
      const made = await cluster().apply(secrets, secret(namespace(), name, { a: '1' }), writer)
      await cluster().apply(secrets, secret(namespace(), name, { a: '2' }), writer)
      return made.metadata
    }
    it('refuses a stale resourceVersion, even forced', async () => {
      const { resourceVersion = '' } = await stale('stale-apply')
      const apply = cluster().apply(secrets, secret(namespace(), 'stale-apply', { a: '3' }, { resourceVersion }), force)
      await expect(apply).rejects.toMatchObject(conflict)
    })
    it('passes with the uid and resourceVersion of the moment', async () => {
      const made = await cluster().apply(secrets, secret(namespace(), 'fresh', { a: '1' }), writer)
      const { uid = '', resourceVersion = '' } = made.metadata
      const after = await cluster().apply(
        secrets,
        secret(namespace(), 'fresh', { a: '2' }, { uid, resourceVersion }),
        writer,
      )
      expect(after.data).toEqual({ a: base64('2') })
    })
    it('with a uid, does not create a deleted object anew', async () => {
      const { uid = '', resourceVersion = '' } = await stale('deleted')
      await cluster().delete(secrets, { namespace: namespace(), name: 'deleted' })
      const apply = cluster().apply(
        secrets,
        secret(namespace(), 'deleted', { a: '3' }, { uid, resourceVersion }),
        force,
      )
      await expect(apply).rejects.toMatchObject(conflict)
      await expect(cluster().get(secrets, { namespace: namespace(), name: 'deleted' })).rejects.toMatchObject({
        status: 404,
      })
    })
    it('with a uid, does not touch an object of the same name made since', async () => {
      const { uid = '' } = await stale('replaced')
      await cluster().delete(secrets, { namespace: namespace(), name: 'replaced' })
      const made = await cluster().create(secrets, secret(namespace(), 'replaced', { b: '1' }), other)
      const apply = cluster().apply(secrets, secret(namespace(), 'replaced', { a: '3' }, { uid }), force)
      await expect(apply).rejects.toMatchObject({ status: 422 })
      expect(await cluster().get(secrets, { namespace: namespace(), name: 'replaced' })).toEqual(made)
    })
    it('createOnly creates', async () => {
      const made = await cluster().apply(secrets, secret(namespace(), 'first', { a: '1' }), {
        ...writer,
        createOnly: true,
      })
      expect(made.data).toEqual({ a: base64('1') })
      const after = await cluster().apply(secrets, secret(namespace(), 'first', { b: '2' }), writer)
      expect(after.data).toEqual({ b: base64('2') })
    })
    it('createOnly refuses what exists, even forced', async () => {
      const made = await cluster().create(secrets, secret(namespace(), 'existing', { a: '1' }), other)
      const apply = cluster().apply(secrets, secret(namespace(), 'existing', { a: '2' }), {
        ...force,
        createOnly: true,
      })
      await expect(apply).rejects.toMatchObject({ status: 409, reason: 'AlreadyExists' })
      expect(await cluster().get(secrets, { namespace: namespace(), name: 'existing' })).toEqual(made)
    })
  })
}
