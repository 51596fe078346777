/** Behaviours of the port: list, paging, selectors, watch. */
import { describe, expect, it } from 'vitest'
import type { Secret } from '../../src/resources/core.ts'
import { secrets } from '../../src/resources/core.ts'
import { databaseCertificates } from '../../src/resources/database-certificate.ts'
import { certificate, listAll, secret, take, writer } from './target.ts'
import type { Suite } from './cluster-suite.ts'

const make = async (
  { cluster, namespace }: Suite,
  names: readonly string[],
  labels: Readonly<Record<string, string>>,
) => {
  const made: Secret[] = []
  for (const name of names)
    made.push(await cluster().create(secrets, secret(namespace(), name, { a: '1' }, { labels }), writer))
  return made
}

export const lists = (suite: Suite): void => {
  const { cluster, namespace } = suite
  describe('list', () => {
    it('gives the objects of one namespace in the order of their names', async () => {
      await make(suite, ['l-b', 'l-a', 'l-c'], { group: 'order' })
      await cluster().create(secrets, secret(`${namespace()}-b`, 'l-d', {}, { labels: { group: 'order' } }), writer)
      const here = await listAll(cluster(), secrets, { namespace: namespace(), labelSelector: 'group=order' })
      expect(here.names).toEqual(['l-a', 'l-b', 'l-c'])
      const everywhere = await listAll(cluster(), secrets, { labelSelector: 'group=order' })
      expect(everywhere.names.toSorted()).toEqual(['l-a', 'l-b', 'l-c', 'l-d'])
    })
    it('has a resourceVersion that is not older than any of its items', async () => {
      const made = await make(suite, ['versioned'], {})
      const { resourceVersion } = await cluster().list(secrets, { namespace: namespace() })
      expect(BigInt(resourceVersion)).toBeGreaterThanOrEqual(BigInt(made[0]?.metadata.resourceVersion ?? '0'))
    })
    it('pages through everything once, at one resourceVersion', async () => {
      const names = Array.from({ length: 7 }, (_, i) => `page-${i}`)
      await make(suite, names, { group: 'pages' })
      const options = { namespace: namespace(), labelSelector: 'group=pages', limit: 3 }
      const { names: seen, pages, versions } = await listAll(cluster(), secrets, options)
      expect(seen).toEqual(names)
      expect(pages).toBeGreaterThanOrEqual(3)
      expect(versions.size).toBe(1)
    })
    it('gives metadata alone when asked', async () => {
      await make(suite, ['meta-list'], { group: 'meta' })
      const options = { namespace: namespace(), labelSelector: 'group=meta', metadataOnly: true }
      const [item] = (await cluster().list(secrets, options)).items
      expect(item?.metadata.labels).toEqual({ group: 'meta' })
      expect(item).not.toHaveProperty('data')
    })
    it('refuses a selector that makes no sense', async () => {
      const list = cluster().list(secrets, { namespace: namespace(), labelSelector: 'a=b=c=' })
      await expect(list).rejects.toMatchObject({ status: 400 })
    })
    it('refuses a field that cannot be selected', async () => {
      const list = cluster().list(databaseCertificates, { namespace: namespace(), fieldSelector: 'spec.nothing=x' })
      await expect(list).rejects.toMatchObject({ status: 400 })
    })
    it('answers Timeout to a resourceVersion of the future', async () => {
      const options = { resourceVersion: '999999999', resourceVersionMatch: 'NotOlderThan' as const }
      const list = cluster().list(secrets, { namespace: namespace(), ...options })
      await expect(list).rejects.toMatchObject({ status: 504, reason: 'Timeout' })
    })
  })
}

const labelSelectors: [string, string[]][] = [
  ['tier=gold', ['sel-a']],
  ['tier==gold', ['sel-a']],
  ['tier!=gold', ['sel-b', 'sel-c']],
  ['tier', ['sel-a', 'sel-b']],
  ['!tier', ['sel-c']],
  ['tier in (gold, silver)', ['sel-a', 'sel-b']],
  ['tier notin (gold)', ['sel-b', 'sel-c']],
  ['tier in (gold,silver),zone=b', ['sel-b']],
]

export const selectors = ({ cluster, namespace }: Suite): void => {
  describe('selectors', () => {
    it.each(labelSelectors)('%s', async (selector, expected) => {
      const labels = {
        'sel-a': { tier: 'gold', zone: 'a' },
        'sel-b': { tier: 'silver', zone: 'b' },
        'sel-c': { zone: 'c' },
      }
      for (const [name, own] of Object.entries(labels))
        await cluster().apply(secrets, secret(namespace(), name, {}, { labels: { ...own, table: 'yes' } }), writer)
      const { names } = await listAll(cluster(), secrets, {
        namespace: namespace(),
        labelSelector: `table=yes,${selector}`,
      })
      expect(names).toEqual(expected)
    })
    it('selects by metadata.name', async () => {
      await cluster().apply(secrets, secret(namespace(), 'by-name'), writer)
      const { names } = await listAll(cluster(), secrets, {
        namespace: namespace(),
        fieldSelector: 'metadata.name=by-name',
      })
      expect(names).toEqual(['by-name'])
    })
    it('selects by a field of a custom resource', async () => {
      for (const [name, authority] of [
        ['of-a', 'ca-a'],
        ['of-b', 'ca-b'],
      ] as const)
        await cluster().apply(
          databaseCertificates,
          certificate(namespace(), name, { authorityRef: { name: authority } }),
          writer,
        )
      const { names } = await listAll(cluster(), databaseCertificates, {
        namespace: namespace(),
        fieldSelector: 'spec.authorityRef.name=ca-b',
      })
      expect(names).toEqual(['of-b'])
    })
  })
}

export const watches = (suite: Suite): void => {
  const { cluster, namespace, compact } = suite
  const from = async () => (await cluster().list(secrets, { namespace: namespace() })).resourceVersion
  describe('watch', () => {
    it('tells every change after a resourceVersion, in order', async () => {
      const resourceVersion = await from()
      const [made] = await make(suite, ['w-order'], {})
      if (!made) throw new Error('nothing was made')
      await cluster().update(secrets, { ...made, metadata: { ...made.metadata, labels: { a: 'b' } } }, writer)
      await cluster().delete(secrets, { namespace: namespace(), name: 'w-order' })
      const events = cluster().watch(secrets, { namespace: namespace(), resourceVersion })
      expect(await take(events, 3)).toEqual(['ADDED w-order', 'MODIFIED w-order', 'DELETED w-order'])
    })
    it('tells what happens while it listens', async () => {
      const events = cluster().watch(secrets, { namespace: namespace(), resourceVersion: await from() })
      const seen = take(events, 2)
      await make(suite, ['w-live-1', 'w-live-2'], {})
      expect(await seen).toEqual(['ADDED w-live-1', 'ADDED w-live-2'])
    })
    it('resumes behind the last event', async () => {
      const resourceVersion = await from()
      const [first] = await make(suite, ['w-resume-1', 'w-resume-2'], {})
      const after = first?.metadata.resourceVersion ?? ''
      const events = cluster().watch(secrets, { namespace: namespace(), resourceVersion: after })
      expect(BigInt(after)).toBeGreaterThan(BigInt(resourceVersion))
      expect(await take(events, 1)).toEqual(['ADDED w-resume-2'])
    })
    it('carries the object as it became, and the version of its deletion', async () => {
      const resourceVersion = await from()
      const [made] = await make(suite, ['w-object'], {})
      await cluster().delete(secrets, { namespace: namespace(), name: 'w-object' })
      const objects: Secret[] = []
      for await (const event of cluster().watch(secrets, { namespace: namespace(), resourceVersion })) {
        if (event.type !== 'BOOKMARK') objects.push(event.object)
        if (objects.length === 2) break
      }
      expect(objects[0]).toEqual(made)
      expect(objects[1]?.data).toEqual(made?.data)
      const [added = '0', deleted = '0'] = objects.map(({ metadata }) => metadata.resourceVersion)
      expect(BigInt(deleted)).toBeGreaterThan(BigInt(added))
    })
    it('says DELETED when an object leaves the selection and ADDED when it comes back', async () => {
      const resourceVersion = await from()
      const labelled = (value: string) => secret(namespace(), 'w-select', {}, { labels: { watched: value } })
      for (const value of ['yes', 'no', 'yes']) await cluster().apply(secrets, labelled(value), writer)
      const events = cluster().watch(secrets, { namespace: namespace(), resourceVersion, labelSelector: 'watched=yes' })
      expect(await take(events, 3)).toEqual(['ADDED w-select', 'DELETED w-select', 'ADDED w-select'])
    })
    it('begins with the present state and a bookmark when asked to', async () => {
      await make(suite, ['w-init-1', 'w-init-2'], { group: 'initial' })
      const seen: string[] = []
      const options = { namespace: namespace(), labelSelector: 'group=initial', sendInitialEvents: true }
      for await (const event of cluster().watch(secrets, { ...options, resourceVersionMatch: 'NotOlderThan' })) {
        seen.push(event.type === 'BOOKMARK' ? 'BOOKMARK' : `${event.type} ${event.object.metadata.name}`)
        if (event.type === 'BOOKMARK' && event.initialEventsEnd) break
      }
      expect(seen.toSorted()).toEqual(['ADDED w-init-1', 'ADDED w-init-2', 'BOOKMARK'])
    })
    it('gives metadata alone when asked', async () => {
      const resourceVersion = await from()
      await make(suite, ['w-meta'], {})
      const options = { namespace: namespace(), resourceVersion, metadataOnly: true }
      for await (const event of cluster().watch(secrets, options)) {
        if (event.type === 'BOOKMARK') continue
        expect(event.object.metadata.name).toBe('w-meta')
        expect(event.object).not.toHaveProperty('data')
        break
      }
    })
    it('does not see other namespaces or kinds', async () => {
      const resourceVersion = await from()
      await cluster().create(secrets, secret(`${namespace()}-b`, 'w-elsewhere'), writer)
      await cluster().create(databaseCertificates, certificate(namespace(), 'w-other-kind'), writer)
      await make(suite, ['w-here'], {})
      expect(await take(cluster().watch(secrets, { namespace: namespace(), resourceVersion }), 1)).toEqual([
        'ADDED w-here',
      ])
    })
    it('ends when its time is over', async () => {
      const options = { namespace: namespace(), resourceVersion: await from(), timeoutSeconds: 1 }
      expect(await take(cluster().watch(secrets, options), 1)).toEqual([])
    })
    it('stops when it is aborted', async () => {
      const abort = new AbortController()
      const options = { namespace: namespace(), resourceVersion: await from(), signal: abort.signal }
      const seen = take(cluster().watch(secrets, options), 1).catch(() => [])
      setTimeout(() => abort.abort(), 50)
      expect(await seen).toEqual([])
    })
    it('does not see a write that was refused', async () => {
      const resourceVersion = await from()
      const refused = cluster().create(
        secrets,
        { ...secret(namespace(), 'w-refused'), type: 'kubernetes.io/tls' },
        writer,
      )
      await expect(refused).rejects.toMatchObject({ status: 422 })
      await make(suite, ['w-after'], {})
      expect(await take(cluster().watch(secrets, { namespace: namespace(), resourceVersion }), 1)).toEqual([
        'ADDED w-after',
      ])
    })
    // A real server compacts every few minutes; test/e2e/faults makes one do it.
    if (compact)
      it('answers Expired where the past is forgotten', async () => {
        const resourceVersion = await from()
        await make(suite, ['w-old'], {})
        suite.compactNow()
        const events = cluster().watch(secrets, { namespace: namespace(), resourceVersion })
        await expect(take(events, 1)).rejects.toMatchObject({ status: 410, reason: 'Expired' })
      })
  })
}
