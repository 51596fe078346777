import { describe, expect, it } from 'vitest'
import { secrets } from './resources/core.ts'
import { certificate, getSecret, issuedOnce, put, quiet, ready, text, until } from './testing.ts'

const layout = (name: string, more: object = {}) => ({ secret: { name: 'orders-tls', layout: name, ...more } })
const rsa = { privateKey: { algorithm: 'RSA' } }
const firstLine = (value: string): string => value.split('\n')[0] ?? ''

describe('a certificate with a layout', () => {
  it('has exactly the keys, the type and the labels that the operator expects', async () => {
    const { cluster } = await issuedOnce(layout('CloudNativePG', { labels: { team: 'orders' } }))
    const secret = await getSecret(cluster)
    expect(secret.type).toBe('kubernetes.io/tls')
    expect(Object.keys(secret.data ?? {}).toSorted()).toEqual(['ca.crt', 'tls.crt', 'tls.key'])
    expect(secret.metadata.labels).toEqual({
      'app.kubernetes.io/managed-by': 'dbtls',
      'cnpg.io/reload': '',
      team: 'orders',
    })
  })

  it('has its key in the encoding that the layout asks for, whatever privateKey.encoding says', async () => {
    const { cluster } = await issuedOnce({ ...layout('OpenXchange'), ...rsa })
    const secret = await getSecret(cluster)
    expect(firstLine(text(secret, 'client-key.pem'))).toBe('-----BEGIN RSA PRIVATE KEY-----')
    expect(Object.keys(secret.data ?? {}).toSorted()).toEqual([
      'ca.pem',
      'client-cert.pem',
      'client-key.pem',
      'keystore-password',
      'keystore.jks',
      'truststore.jks',
    ])
  })

  it('is written again, and not issued again, when the layout changes', async () => {
    const { cluster, serial, operator, events } = await issuedOnce({ ...layout('MySQLDataDirectory'), role: 'Server' })
    const before = await getSecret(cluster)
    await put(cluster, certificate({ ...layout('MySQLDataDirectory/client'), role: 'Server' }))
    const { status } = await ready(cluster)
    await quiet(operator)
    const after = await getSecret(cluster)
    expect(status?.serialNumber).toBe(serial)
    expect(text(after, 'client-cert.pem')).toBe(text(before, 'server-cert.pem'))
    expect(text(after, 'client-key.pem')).toBe(text(before, 'server-key.pem'))
    expect(Object.keys(after.data ?? {}).toSorted()).toEqual(['ca.pem', 'client-cert.pem', 'client-key.pem'])
    expect(events.filter(({ reason }) => reason === 'Issued')).toHaveLength(1)
    expect(events.filter(({ reason }) => reason === 'Encoding')).toHaveLength(1)
  })

  it('gets its label back when somebody takes it off', async () => {
    const { cluster } = await issuedOnce(layout('CloudNativePG'))
    const secret = await getSecret(cluster)
    const { 'cnpg.io/reload': _reload, ...labels } = secret.metadata.labels ?? {}
    await cluster.update(secrets, { ...secret, metadata: { ...secret.metadata, labels } }, { fieldManager: 'somebody' })
    await until('the label', async () => (await getSecret(cluster)).metadata.labels?.['cnpg.io/reload'] === '')
  })
})
