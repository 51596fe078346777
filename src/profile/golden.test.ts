/** What one profile of each engine gives, to be read in test/golden/profiles. */
import { expect, it } from 'vitest'
import { stringify } from 'yaml'
import type { Expansion } from './expansion.ts'
import { engines, exampleOf, expanded, sixNodes } from './profile.fixture.ts'

const golden = ({ certificates, configMap, ...others }: Expansion): string => {
  const objects = certificates.map(({ name, part, spec }) => ({
    name,
    part,
    role: spec.role,
    subject: spec.subject,
    dnsNames: spec.dnsNames,
    ipAddresses: spec.ipAddresses,
    secret: spec.secret.name,
    items: spec.secret.items?.map(({ key, content, alias, encoding }) =>
      [key, content, alias, encoding].filter((one) => one !== undefined).join(' '),
    ),
  }))
  const files = Object.entries(configMap?.data ?? {}).map(([key, text]) => `=== ${key}\n${text}`)
  const yaml = stringify({ certificates: objects, ...others, configMap: configMap?.name }, { lineWidth: 0 })
  return `${yaml}\n${files.join('\n')}`
}

it.each(engines)('%s', async (engine) => {
  await expect(golden(expanded(exampleOf(engine)))).toMatchFileSnapshot(`../../test/golden/profiles/${engine}.txt`)
})

it.each(['MariaDB', 'PostgreSQL'])('External that speaks %s', async (protocol) => {
  const { connection, ...example } = exampleOf('External')
  const spec = { ...example, connection: { ...(connection as object), protocol } }
  await expect(golden(expanded(spec))).toMatchFileSnapshot(`../../test/golden/profiles/External-${protocol}.txt`)
})

it('a standby of PostgreSQL', async () => {
  const standby = { name: 'standby', username: 'replicator', database: 'replication', java: true }
  const expansion = expanded({ ...exampleOf('PostgreSQL'), clients: [standby] })
  await expect(golden(expansion)).toMatchFileSnapshot('../../test/golden/profiles/PostgreSQL-standby.txt')
})

it('TiDB on the six nodes of its guide', async () => {
  await expect(golden(expanded(sixNodes))).toMatchFileSnapshot('../../test/golden/profiles/TiDB-six-nodes.txt')
})
