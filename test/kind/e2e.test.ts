/** In this order: the rights are those that all before them needed. */
await import('./cases/quickstart.ts')
await import('./cases/databases.ts')
await import('./cases/rights.ts')
