/** What one profile of each engine gives, to be read in test/golden/profiles. */
import { expect, it } from 'vitest'
import { stringify } from 'yaml'
import { engines, exampleOf, expanded } from './profile.fixture.ts'

it.each(engines)('%s', async (engine) => {
  const { certificates, configMap, ...others } = expanded(exampleOf(engine))
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
  await expect(`${yaml}\n${files.join('\n')}`).toMatchFileSnapshot(`../../test/golden/profiles/${engine}.txt`)
})
