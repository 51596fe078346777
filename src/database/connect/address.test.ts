import { describe, expect, it } from 'vitest'
import { addressesOf, formatEndpoint, parseEndpoint } from './address.ts'

describe('HOST:PORT', () => {
  it.each([
    ['orders-0.orders.data.svc:3306', { host: 'orders-0.orders.data.svc', port: 3306 }],
    ['10.0.0.1:1', { host: '10.0.0.1', port: 1 }],
    ['[2001:db8::1]:65535', { host: '2001:db8::1', port: 65_535 }],
    ['db.test.:443', { host: 'db.test.', port: 443 }],
  ])('%s is read and written back', (text, endpoint) => {
    expect(parseEndpoint(text)).toEqual(endpoint)
    expect(formatEndpoint(endpoint)).toBe(text)
  })
  it.each([
    '',
    'db',
    'db:',
    ':1',
    'db:0',
    'db:65536',
    'db:123456',
    '2001:db8::1:443',
    '[10.0.0.1]:1',
    '[db]:1',
    'a b:1',
    'db:1x',
    '-db:1',
    'a/b:1',
  ])('%j is none', (text) => {
    expect(parseEndpoint(text)).toBeUndefined()
  })
})

describe('the addresses of an endpoint', () => {
  const endpoint = { host: 'db.test', port: 1 }
  const failing = (code: string) => () => Promise.reject(Object.assign(new Error(code), { code }))

  it('are every one behind the name, each once', async () => {
    const lookup = () => Promise.resolve(['10.0.0.2', '2001:db8::1', '10.0.0.2', '10.0.0.1'])
    expect(await addressesOf(endpoint, { lookup })).toEqual(['10.0.0.2', '2001:db8::1', '10.0.0.1'])
  })
  it('are the address itself where it is one', async () => {
    const lookup = failing('ENOTFOUND')
    expect(await addressesOf({ host: '::1', port: 1 }, { lookup })).toEqual(['::1'])
  })
  it('are those of this machine', async () => {
    const found = await addressesOf({ host: 'localhost', port: 1 })
    expect(found.some((address) => address === '127.0.0.1' || address === '::1')).toBe(true)
  })
  it.each([
    ['ENOTFOUND', 'NameNotFound'],
    ['EAI_AGAIN', 'NoAnswer'],
  ])('are refused with %s as %s', async (code, reason) => {
    await expect(addressesOf(endpoint, { lookup: failing(code) })).rejects.toMatchObject({ reason })
  })
  it('are none where the name has none', async () => {
    const found = addressesOf(endpoint, { lookup: () => Promise.resolve([]) })
    await expect(found).rejects.toMatchObject({ reason: 'NameNotFound' })
  })
  it('are not waited for when the caller gives up', async () => {
    const abort = new AbortController()
    const found = addressesOf(endpoint, { lookup: () => new Promise(() => undefined), signal: abort.signal })
    abort.abort()
    await expect(found).rejects.toMatchObject({ reason: 'Aborted' })
  })
})
