import { describe, expect, it } from 'vitest'
import { databaseCertificates } from '../../resources/database-certificate.ts'
import { main } from './renew.ts'
import { authorityYaml, certificateYaml, profileYaml, runVerb, useFolder } from '../shared/verb.fixture.ts'

describe('dbtls renew', () => {
  const folder = useFolder()
  const manifests =
    authorityYaml() +
    authorityYaml('other') +
    certificateYaml('a') +
    certificateYaml('b') +
    certificateYaml('c', '', 'other')
  const triggers = () =>
    folder.inState(async (cluster) => {
      const { items } = await cluster.list(databaseCertificates, { namespace: 'data' })
      return items
        .filter(({ metadata }) => metadata.annotations?.['dbtls.dev/renew-trigger'] !== undefined)
        .map(({ metadata }) => metadata.name)
    })

  it.each([
    ['the names given', ['a', 'data/b'], ['a', 'b']],
    ['those of an authority', ['--authority', 'ca'], ['a', 'b']],
    ['those of another authority', ['--authority', 'data/other', '-A'], ['c']],
    ['all', ['--all'], ['a', 'b', 'c']],
  ])('asks for %s and no other', async (_, args, expected) => {
    await folder.render(manifests)
    const namespace = args.includes('-A') ? [] : ['-n', 'data']
    const { code, out } = await runVerb(main, [...args, ...namespace, ...folder.state])
    expect([code, out.split('\n').length - 1]).toEqual([0, expected.length])
    expect(await triggers()).toEqual(expected)
  })
  it('asks for all certificates of a profile, those of servers first', async () => {
    const spec = 'clients: [{name: app}, {name: z}], components: [{name: tikv, services: [tikv]}]'
    const { code: rendered, err } = await folder.render(
      manifests + profileYaml('m', spec, 'TiDB') + profileYaml('m-app2'),
    )
    expect([rendered, err]).toEqual([0, expect.anything()])
    for (const name of ['m', 'data/m']) {
      const { code, out } = await runVerb(main, ['--profile', name, '-n', 'data', ...folder.state])
      expect([code, out.trim().split('\n')]).toEqual([
        0,
        ['m-server', 'm-tikv', 'm-app', 'm-cluster-client', 'm-z'].map(
          (one) => `asked for  DatabaseCertificate data/${one}`,
        ),
      ])
    }
    expect(await triggers()).toEqual(['m-app', 'm-cluster-client', 'm-server', 'm-tikv', 'm-z'])
  })
  it.each([
    [[], 2, 'say which: names, --authority, --profile or --all'],
    [['--profile', 'm', '--all'], 2, 'say which'],
    [['--profile', 'nobody'], 1, 'there is no DatabaseTLSProfile data/nobody; nothing was asked for'],
    [['a', '--all'], 2, 'say which'],
    [['a', '--wait'], 2, '--wait needs a cluster'],
    [['a', 'missing'], 1, 'there is no DatabaseCertificate data/missing; nothing was asked for'],
    [['--authority', 'nobody'], 1, 'there is no such certificate'],
    [['a', '--per-second', '0'], 2, '--per-second is a whole number'],
  ])('refuses %j', async (args, expected, sentence) => {
    await folder.render(manifests)
    const { code, err } = await runVerb(main, [...args, '-n', 'data', ...folder.state])
    expect([code, err]).toEqual([expected, expect.stringContaining(sentence)])
    expect(await triggers()).toEqual([])
  })
})
