import { describe, expect, it } from 'vitest'
import { Deliveries } from './deliveries.ts'

const holderKey = 'data/orders'
const of = (serialNumber: string, key = holderKey) => ({ holderKey: key, serialNumber })

const known = () => {
  let now = 1000
  const deliveries = new Deliveries({ monotonic: () => now })
  return { deliveries, at: (time: number) => void (now = time) }
}

describe('a delivery', () => {
  it('counts from when its holder reported it, and not from when it was replaced in turn', () => {
    const { deliveries, at } = known()
    at(2000)
    deliveries.add(holderKey, '1', '2')
    at(5000)
    deliveries.add(holderKey, '2', '3')
    at(6000)
    expect(deliveries.ago(of('1'), of('2'))).toBe(4000)
    expect(deliveries.ago(of('2'), of('3'))).toBe(1000)
  })

  it('that was skipped counts from when the holder left the certificate before', () => {
    const { deliveries, at } = known()
    at(3000)
    deliveries.add(holderKey, '1', '3')
    at(4000)
    expect(deliveries.ago(of('1'), of('2'))).toBe(1000)
  })

  it('of a name that passed to another holder counts from that holder', () => {
    const { deliveries, at } = known()
    at(3000)
    deliveries.add('data/newer', undefined, '2')
    at(4000)
    expect(deliveries.ago(of('1'), of('2', 'data/newer'))).toBe(1000)
  })

  it('that nobody saw counts from the beginning of the process', () => {
    const { deliveries, at } = known()
    at(1500)
    expect(deliveries.ago(of('1'), of('2'))).toBe(500)
  })

  it('is forgotten after a day', () => {
    const { deliveries, at } = known()
    deliveries.add(holderKey, '1', '2')
    at(1000 + 25 * 3_600_000)
    deliveries.add(holderKey, '2', '3')
    at(1001 + 25 * 3_600_000)
    expect(deliveries.ago(of('1'), of('2'))).toBe(1 + 25 * 3_600_000)
    expect(deliveries.ago(of('2'), of('3'))).toBe(1)
  })
})
