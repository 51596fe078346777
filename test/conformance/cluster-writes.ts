/** Behaviours of the port: create, update, status, apply, delete, and what is refused. */
import { describe, expect, it } from 'vitest'
import { configMaps, secrets } from '../../src/resources/core.ts'
import { databaseCertificates } from '../../src/resources/database-certificate.ts'
import { base64, certificate, configMap, ownerOf, secret, writer } from './target.ts'
import type { Suite } from './cluster-suite.ts'

const conflict = { status: 409, reason: 'Conflict' }
const alreadyExists = { status: 409, reason: 'AlreadyExists' }
const notFound = { status: 404, reason: 'NotFound' }
const invalid = { status: 422, reason: 'Invalid' }
const force = { ...writer, force: true }

export const createAndGet = ({ cluster, namespace }: Suite): void => {
  describe('create and get', () => {
    it('gives a new object its uid, resourceVersion, creationTimestamp and generation', async () => {
      const made = await cluster().create(databaseCertificates, certificate(namespace(), 'new'), writer)
      expect(made.metadata).toMatchObject({
        name: 'new',
        namespace: namespace(),
        uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
        resourceVersion: expect.stringMatching(/^[0-9]+$/),
        creationTimestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
        generation: 1,
      })
      expect(await cluster().get(databaseCertificates, { namespace: namespace(), name: 'new' })).toEqual(made)
    })
    it('answers AlreadyExists to a second create', async () => {
      await cluster().create(secrets, secret(namespace(), 'twice'), writer)
      await expect(cluster().create(secrets, secret(namespace(), 'twice'), writer)).rejects.toMatchObject(alreadyExists)
    })
    it('answers NotFound to a get of what is not there', async () => {
      await expect(cluster().get(secrets, { namespace: namespace(), name: 'nothing' })).rejects.toMatchObject(notFound)
    })
    it('drops a status that comes with a create', async () => {
      const withStatus = { ...certificate(namespace(), 'no-status'), status: { revision: 7 } }
      const made = await cluster().create(databaseCertificates, withStatus, writer)
      expect(made.status).toEqual({ observedGeneration: -1 })
    })
    it('writes nothing in a dry run', async () => {
      const answer = await cluster().create(secrets, secret(namespace(), 'dry'), { ...writer, dryRun: true })
      expect(answer.metadata.name).toBe('dry')
      await expect(cluster().get(secrets, { namespace: namespace(), name: 'dry' })).rejects.toMatchObject(notFound)
    })
    it('gives a Secret the type Opaque, and data for stringData', async () => {
      const { data: _, ...rest } = secret(namespace(), 'strings')
      const made = await cluster().create(secrets, { ...rest, stringData: { password: 'tea' } }, writer)
      expect(made.type).toBe('Opaque')
      expect(made.data).toEqual({ password: base64('tea') })
      expect(made.stringData).toBeUndefined()
    })
    it('returns metadata alone when asked', async () => {
      await cluster().create(secrets, secret(namespace(), 'meta', { a: 'x' }, { labels: { l: 'v' } }), writer)
      const key = { namespace: namespace(), name: 'meta' }
      const partial = await cluster().get(secrets, key, { metadataOnly: true })
      expect(partial.metadata).toMatchObject({ name: 'meta', labels: { l: 'v' } })
      expect(partial).not.toHaveProperty('data')
    })
    it('never shows managedFields', async () => {
      const made = await cluster().create(secrets, secret(namespace(), 'unmanaged'), writer)
      expect(made.metadata).not.toHaveProperty('managedFields')
    })
  })
}

export const updates = ({ cluster, namespace }: Suite): void => {
  describe('update', () => {
    it('refuses a stale resourceVersion', async () => {
      const made = await cluster().create(secrets, secret(namespace(), 'stale'), writer)
      await cluster().update(secrets, { ...made, data: { a: base64('two') } }, writer)
      await expect(cluster().update(secrets, { ...made, data: { a: base64('three') } }, writer)).rejects.toMatchObject(
        conflict,
      )
    })
    it('refuses the uid of another object', async () => {
      const made = await cluster().create(secrets, secret(namespace(), 'other-uid'), writer)
      const metadata = { ...made.metadata, uid: '00000000-0000-4000-8000-000000000000' }
      await expect(cluster().update(secrets, { ...made, metadata }, writer)).rejects.toMatchObject(conflict)
    })
    it('answers NotFound when there is nothing to update', async () => {
      const update = cluster().update(secrets, secret(namespace(), 'not-there'), writer)
      await expect(update).rejects.toMatchObject(notFound)
    })
    it('wants a resourceVersion for a custom resource', async () => {
      await cluster().create(databaseCertificates, certificate(namespace(), 'unversioned'), writer)
      const update = cluster().update(databaseCertificates, certificate(namespace(), 'unversioned'), writer)
      await expect(update).rejects.toMatchObject(invalid)
    })
    it('does not move the resourceVersion when nothing changes', async () => {
      const made = await cluster().create(secrets, secret(namespace(), 'same'), writer)
      const again = await cluster().update(secrets, made, writer)
      expect(again.metadata.resourceVersion).toBe(made.metadata.resourceVersion)
    })
    it('counts generations of spec alone', async () => {
      const made = await cluster().create(databaseCertificates, certificate(namespace(), 'generations'), writer)
      const labelled = await cluster().update(
        databaseCertificates,
        { ...made, metadata: { ...made.metadata, labels: { a: 'b' } } },
        writer,
      )
      expect(labelled.metadata.generation).toBe(1)
      const changed = { ...labelled, spec: { ...labelled.spec, dnsNames: ['other.data.svc'] } }
      expect((await cluster().update(databaseCertificates, changed, writer)).metadata.generation).toBe(2)
    })
    it('keeps uid and creationTimestamp whatever the update says', async () => {
      const made = await cluster().create(secrets, secret(namespace(), 'kept'), writer)
      const { uid: _, ...metadata } = made.metadata
      const changed = { ...made, metadata: { ...metadata, creationTimestamp: '2001-01-01T00:00:00Z' } }
      const updated = await cluster().update(secrets, changed, writer)
      expect(updated.metadata.uid).toBe(made.metadata.uid)
      expect(updated.metadata.creationTimestamp).toBe(made.metadata.creationTimestamp)
    })
  })
}

export const statuses = ({ cluster, namespace }: Suite): void => {
  describe('updateStatus', () => {
    it('takes status and nothing else, and does not count a generation', async () => {
      const made = await cluster().create(databaseCertificates, certificate(namespace(), 'status'), writer)
      const wanted = {
        ...made,
        metadata: { ...made.metadata, labels: { not: 'taken' } },
        spec: { ...made.spec, dnsNames: ['not-taken.data.svc'] },
        status: { revision: 3 },
      }
      const answer = await cluster().updateStatus(databaseCertificates, wanted, writer)
      expect(answer.status).toEqual({ revision: 3 })
      expect(answer.spec).toEqual(made.spec)
      expect(answer.metadata.labels).toBeUndefined()
      expect(answer.metadata.generation).toBe(1)
      expect(answer.metadata.resourceVersion).not.toBe(made.metadata.resourceVersion)
    })
    it('refuses a stale resourceVersion', async () => {
      const made = await cluster().create(databaseCertificates, certificate(namespace(), 'stale-status'), writer)
      await cluster().updateStatus(databaseCertificates, { ...made, status: { revision: 1 } }, writer)
      const second = cluster().updateStatus(databaseCertificates, { ...made, status: { revision: 2 } }, writer)
      await expect(second).rejects.toMatchObject(conflict)
    })
    it('does not create a missing object', async () => {
      const missing = certificate(namespace(), 'no-object', {}, { resourceVersion: '1' })
      const answer = cluster().updateStatus(databaseCertificates, { ...missing, status: { revision: 1 } }, writer)
      await expect(answer).rejects.toMatchObject(notFound)
    })
    it('is left alone by update and apply', async () => {
      const made = await cluster().create(databaseCertificates, certificate(namespace(), 'two-ways'), writer)
      const reported = await cluster().updateStatus(databaseCertificates, { ...made, status: { revision: 5 } }, writer)
      const updated = await cluster().update(databaseCertificates, { ...reported, status: { revision: 9 } }, writer)
      expect(updated.status).toEqual({ revision: 5 })
      const applied = { ...certificate(namespace(), 'two-ways'), status: { revision: 11 } }
      expect((await cluster().apply(databaseCertificates, applied, force)).status).toEqual({ revision: 5 })
    })
  })
}

export const deletions = ({ cluster, namespace, eventually }: Suite): void => {
  describe('delete', () => {
    it('removes an object, and then answers NotFound', async () => {
      const key = { namespace: namespace(), name: 'gone' }
      await cluster().create(secrets, secret(namespace(), 'gone'), writer)
      await cluster().delete(secrets, key)
      await expect(cluster().get(secrets, key)).rejects.toMatchObject(notFound)
      await expect(cluster().delete(secrets, key)).rejects.toMatchObject(notFound)
    })
    it('refuses the uid or the resourceVersion of another state', async () => {
      const made = await cluster().create(secrets, secret(namespace(), 'guarded'), writer)
      const key = { namespace: namespace(), name: 'guarded' }
      const wrongUid = cluster().delete(secrets, key, { uid: '00000000-0000-4000-8000-000000000000' })
      await expect(wrongUid).rejects.toMatchObject(conflict)
      const newer = await cluster().update(secrets, { ...made, data: { a: base64('two') } }, writer)
      const stale = cluster().delete(secrets, key, { resourceVersion: made.metadata.resourceVersion ?? '' })
      await expect(stale).rejects.toMatchObject(conflict)
      const { uid = '', resourceVersion = '' } = newer.metadata
      await cluster().delete(secrets, key, { uid, resourceVersion })
    })
    it('waits for finalizers, and finishes when the last one goes', async () => {
      const key = { namespace: namespace(), name: 'finalized' }
      const finalizers = ['dbtls.dev/a', 'dbtls.dev/b']
      await cluster().create(databaseCertificates, certificate(namespace(), 'finalized', {}, { finalizers }), writer)
      await cluster().delete(databaseCertificates, key)
      const waiting = await cluster().get(databaseCertificates, key)
      expect(waiting.metadata.deletionTimestamp).toMatch(/Z$/)
      const without = (left: string[], from: typeof waiting) =>
        cluster().update(databaseCertificates, { ...from, metadata: { ...from.metadata, finalizers: left } }, writer)
      await without([], await without(['dbtls.dev/b'], waiting))
      await expect(cluster().get(databaseCertificates, key)).rejects.toMatchObject(notFound)
    })
    it('refuses new finalizers on an object that is being deleted', async () => {
      const key = { namespace: namespace(), name: 'too-late' }
      const finalizers = ['dbtls.dev/a']
      await cluster().create(databaseCertificates, certificate(namespace(), 'too-late', {}, { finalizers }), writer)
      await cluster().delete(databaseCertificates, key)
      const live = await cluster().get(databaseCertificates, key)
      const more = { ...live, metadata: { ...live.metadata, finalizers: [...finalizers, 'dbtls.dev/c'] } }
      await expect(cluster().update(databaseCertificates, more, writer)).rejects.toMatchObject(invalid)
      await cluster().update(databaseCertificates, { ...live, metadata: { ...live.metadata, finalizers: [] } }, writer)
    })
    it('takes dependents along', async () => {
      const owner = await cluster().create(configMaps, configMap(namespace(), 'owner', {}), writer)
      const ownerReferences = [ownerOf(owner)]
      await cluster().create(secrets, secret(namespace(), 'child', {}, { ownerReferences }), writer)
      await cluster().delete(configMaps, { namespace: namespace(), name: 'owner' })
      await eventually(() =>
        expect(cluster().get(secrets, { namespace: namespace(), name: 'child' })).rejects.toMatchObject(notFound),
      )
    })
    it('keeps a dependent that has another owner, without the dangling reference', async () => {
      const first = await cluster().create(configMaps, configMap(namespace(), 'owner-1', {}), writer)
      const second = await cluster().create(configMaps, configMap(namespace(), 'owner-2', {}), writer)
      const ownerReferences = [ownerOf(first), { ...ownerOf(second), controller: false }]
      await cluster().create(secrets, secret(namespace(), 'shared', {}, { ownerReferences }), writer)
      await cluster().delete(configMaps, { namespace: namespace(), name: 'owner-1' })
      await eventually(async () => {
        const shared = await cluster().get(secrets, { namespace: namespace(), name: 'shared' })
        expect(shared.metadata.ownerReferences?.map(({ name }) => name)).toEqual(['owner-2'])
      })
    })
    it('leaves dependents behind when asked to orphan them', async () => {
      const owner = await cluster().create(configMaps, configMap(namespace(), 'parent', {}), writer)
      const ownerReferences = [ownerOf(owner)]
      await cluster().create(secrets, secret(namespace(), 'orphan', {}, { ownerReferences }), writer)
      await cluster().delete(configMaps, { namespace: namespace(), name: 'parent' }, { propagationPolicy: 'Orphan' })
      await eventually(async () => {
        const orphan = await cluster().get(secrets, { namespace: namespace(), name: 'orphan' })
        expect(orphan.metadata.ownerReferences ?? []).toEqual([])
      })
    })
    it('with Foreground, takes the dependents first', async () => {
      const owner = await cluster().create(configMaps, configMap(namespace(), 'last', {}), writer)
      const metadata = { ownerReferences: [ownerOf(owner)], finalizers: ['dbtls.dev/hold'] }
      await cluster().create(secrets, secret(namespace(), 'goes-first', {}, metadata), writer)
      const key = { namespace: namespace(), name: 'goes-first' }
      await cluster().delete(configMaps, { namespace: namespace(), name: 'last' }, { propagationPolicy: 'Foreground' })
      const held = await eventually(async () => {
        const child = await cluster().get(secrets, key)
        expect(child.metadata.deletionTimestamp).toBeDefined()
        return child
      })
      await cluster().get(configMaps, { namespace: namespace(), name: 'last' })
      await cluster().update(secrets, { ...held, metadata: { ...held.metadata, finalizers: [] } }, writer)
      await eventually(() =>
        expect(cluster().get(configMaps, { namespace: namespace(), name: 'last' })).rejects.toMatchObject(notFound),
      )
    })
    it('collects an object whose owner lies in another namespace', async () => {
      const owner = await cluster().create(configMaps, configMap(`${namespace()}-b`, 'foreign', {}), writer)
      const ownerReferences = [ownerOf(owner)]
      await cluster().create(secrets, secret(namespace(), 'strayed', {}, { ownerReferences }), writer)
      await eventually(() =>
        expect(cluster().get(secrets, { namespace: namespace(), name: 'strayed' })).rejects.toMatchObject(notFound),
      )
    })
  })
}

const limit = 1_048_576

export const refusals = ({ cluster, namespace }: Suite): void => {
  describe('what is refused', () => {
    it('a change of a Secret type', async () => {
      const made = await cluster().create(secrets, secret(namespace(), 'typed'), writer)
      const update = cluster().update(secrets, { ...made, type: 'dbtls.dev/other' }, writer)
      await expect(update).rejects.toMatchObject({ ...invalid, causes: [expect.objectContaining({ field: 'type' })] })
    })
    it('a change of an immutable Secret', async () => {
      const frozen = { ...secret(namespace(), 'frozen'), immutable: true }
      const made = await cluster().create(secrets, frozen, writer)
      const update = cluster().update(secrets, { ...made, data: { a: base64('two') } }, writer)
      await expect(update).rejects.toMatchObject(invalid)
    })
    it('one byte more than a Secret may hold', async () => {
      const full = await cluster().create(secrets, secret(namespace(), 'full', { a: 'x'.repeat(limit) }), writer)
      expect(full.data?.['a']).toHaveLength(Math.ceil(limit / 3) * 4)
      const over = cluster().create(secrets, secret(namespace(), 'over', { a: 'x'.repeat(limit + 1) }), writer)
      await expect(over).rejects.toMatchObject({ ...invalid, causes: [expect.objectContaining({ field: 'data' })] })
    })
    it('a body beyond the limit of a request', async () => {
      const huge = cluster().create(secrets, secret(namespace(), 'huge', { a: 'x'.repeat(3 * limit) }), writer)
      await expect(huge).rejects.toMatchObject({ status: 413 })
    })
    it('a TLS Secret without its two keys', async () => {
      const incomplete = { ...secret(namespace(), 'incomplete', { 'tls.crt': 'x' }), type: 'kubernetes.io/tls' }
      await expect(cluster().create(secrets, incomplete, writer)).rejects.toMatchObject({
        ...invalid,
        causes: [expect.objectContaining({ field: 'data[tls.key]' })],
      })
    })
    it('data that is not base64', async () => {
      const garbled = { ...secret(namespace(), 'garbled'), data: { a: '***' } }
      await expect(cluster().create(secrets, garbled, writer)).rejects.toMatchObject({ status: 400 })
    })
    it.each([
      ['a name with capitals', secret('', 'Not-A-Name'), 'metadata.name'],
      ['a label value with a space', secret('', 'l', {}, { labels: { a: 'b c' } }), 'metadata.labels'],
      [
        'an annotation key with two slashes',
        secret('', 'k', {}, { annotations: { 'a/b/c': '' } }),
        'metadata.annotations',
      ],
      [
        'annotations over 256 KiB',
        secret('', 'big', {}, { annotations: { a: 'x'.repeat(262_144) } }),
        'metadata.annotations',
      ],
      ['a Secret key with a slash', secret('', 's', { 'a/b': 'x' }), 'data[a/b]'],
    ])('%s', async (_, object, field) => {
      const here = { ...object, metadata: { ...object.metadata, namespace: namespace() } }
      await expect(cluster().create(secrets, here, writer)).rejects.toMatchObject({
        ...invalid,
        causes: [expect.objectContaining({ field })],
      })
    })
    it('a custom resource that breaks its schema, with the field', async () => {
      const broken = certificate(namespace(), 'broken', { dnsNames: ['no spaces allowed'] })
      await expect(cluster().create(databaseCertificates, broken, writer)).rejects.toMatchObject({
        ...invalid,
        causes: expect.arrayContaining([expect.objectContaining({ field: 'spec.dnsNames[0]' })]),
      })
    })
    it('an update that breaks the schema leaves the object as it was', async () => {
      const made = await cluster().create(databaseCertificates, certificate(namespace(), 'intact'), writer)
      const broken = { ...made, spec: { ...made.spec, dnsNames: ['no spaces allowed'] } }
      await expect(cluster().update(databaseCertificates, broken, writer)).rejects.toMatchObject(invalid)
      expect(await cluster().get(databaseCertificates, { namespace: namespace(), name: 'intact' })).toEqual(made)
    })
    it('a field manager that is missing', async () => {
      const apply = cluster().apply(secrets, secret(namespace(), 'unmanned'), { fieldManager: '' })
      await expect(apply).rejects.toMatchObject({ status: 422 })
    })
  })
}
