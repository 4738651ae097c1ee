import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { AccountIndex } from "../../src/domain/Account.ts"
import { ProverPrice } from "../../src/domain/Amount.ts"
import { SignedTransfer } from "../../src/domain/Transfer.ts"
import { applyTransfer, executeBlock, type TransferRefused } from "../../src/ledger/Execution.ts"
import { StateTree } from "../../src/ledger/StateTree.ts"
import { account, conditions, depth, fee, genesisOf, includes, keyOf, ownerAt, price, rules, total, transfer, treeOf } from "./accounts.ts"
import { replay } from "./replay.ts"

const parameters = { chainId: rules.chainId, slots: rules.slots, depth }
const rich = 10n ** 18n
const reasonOf = (tree: StateTree, signed: SignedTransfer): TransferRefused["reason"] | "executed" => {
  const result = applyTransfer(rules, tree, signed, price)
  return Result.isFailure(result) ? result.failure.reason : "executed"
}
const at = (tree: StateTree, index: number) => tree.account(AccountIndex.make(index))

describe("a transfer", () => {
  it("moves the amount, burns the fee and counts the nonce (FM-6)", () => {
    const { tree } = Result.getOrThrow(applyTransfer(rules, treeOf(rich, 0n), transfer({ from: 0, to: 1, amount: 5n }), price))
    includes(at(tree, 0), { balance: rich - 5n - fee, nonce: 1n })
    includes(at(tree, 1), { balance: 5n, nonce: 0n })
  })

  it("to an empty leaf creates the account with the named owner", () => {
    const { tree } = Result.getOrThrow(applyTransfer(rules, treeOf(rich), transfer({ from: 0, to: 9, amount: 5n }), price))
    includes(at(tree, 9), { owner: ownerAt(9), balance: 5n, nonce: 0n })
  })

  it("to oneself only pays the fee", () => {
    const { tree, witness } = Result.getOrThrow(applyTransfer(rules, treeOf(rich), transfer({ from: 0, to: 0, amount: 5n }), price))
    includes(at(tree, 0), { balance: rich - fee, nonce: 1n })
    assert.strictEqual(witness.recipient.account?.nonce, 1n, "the recipient's leaf is taken after the sender's was changed")
  })

  it("may take the last wei", () => {
    assert.strictEqual(reasonOf(treeOf(5n + fee, 0n), transfer({ from: 0, to: 1, amount: 5n })), "executed")
  })

  const plain = { from: 0, to: 1, amount: 5n }
  const forged = transfer(plain)
  const tree = treeOf(rich, 0n)
  const cases: ReadonlyArray<readonly [TransferRefused["reason"], string, StateTree, SignedTransfer]> = [
    ["IndexOutOfTree", "to beyond the tree", tree, transfer({ ...plain, to: 16, toOwner: ownerAt(1) })],
    ["IndexOutOfTree", "from beyond the tree", tree, transfer({ ...plain, from: 16 })],
    ["SenderMissing", "an empty leaf sends", tree, transfer({ ...plain, from: 3 })],
    ["NonceUsed", "a replay", treeOf(rich, 0n).set(AccountIndex.make(0), account(0, rich, 1n)), transfer(plain)],
    ["NonceAhead", "a gap before it", tree, transfer({ ...plain, nonce: 1n })],
    ["NonceExhausted", "the last number", treeOf(rich, 0n).set(AccountIndex.make(0), account(0, rich, 2n ** 64n - 1n)), transfer({ ...plain, nonce: 2n ** 64n - 1n })],
    ["FeeAboveCap", "FM-5: a cap one wei too low", tree, transfer({ ...plain, cap: fee - 1n })],
    ["BalanceTooLow", "the amount fits, the fee does not", treeOf(5n + fee - 1n, 0n), transfer(plain)],
    ["BalanceTooLow", "the widest amount", tree, transfer({ ...plain, amount: 2n ** 96n - 1n })],
    ["BalanceTooLow", "to oneself: the income does not pay the outgo", treeOf(4n + fee), transfer({ ...plain, to: 0 })],
    ["RecipientOwnerDiffers", "another owner than named", tree, transfer({ ...plain, toOwner: ownerAt(2) })],
    ["RecipientOwnerDiffers", "to oneself under another name", tree, transfer({ ...plain, to: 0, toOwner: ownerAt(2) })],
    ["RecipientOverflow", "2^96 wei", treeOf(rich, 2n ** 96n - 5n), transfer(plain)],
    ["KeyNotOwner", "signed by somebody else", tree, transfer(plain, keyOf(2))],
    ["SignatureInvalid", "an altered amount", tree, new SignedTransfer({ ...forged, transfer: transfer({ ...plain, amount: 6n }).transfer })],
    ["SignatureInvalid", "signed for another chain", tree, transfer(plain, keyOf(0), 1n)]
  ]
  for (const [reason, why, state, signed] of cases) {
    it(`is refused with ${reason}: ${why}`, () => {
      assert.strictEqual(reasonOf(state, signed), reason)
      const { block, refused, tree: after } = executeBlock(rules, genesisOf(state), state, [signed], conditions)
      assert.deepStrictEqual(block.transfers, [])
      assert.strictEqual(after.root, state.root)
      const waits = reason === "FeeAboveCap" || reason === "NonceAhead"
      assert.deepStrictEqual(refused.map((each) => each.refusal.reason), waits ? [] : [reason])
    })
  }

  it("the widest recipient balance is allowed", () => {
    assert.strictEqual(reasonOf(treeOf(rich, 2n ** 96n - 6n), transfer(plain)), "executed")
  })
})

describe("a block", () => {
  it("takes candidates in order until its slots are full, and leaves the others for later", () => {
    const tree = treeOf(rich, rich, rich)
    const candidates = [0n, 1n, 2n].map((nonce) => transfer({ from: 0, to: 1, amount: 1n, nonce }))
    const { block, refused, witness } = executeBlock(rules, genesisOf(tree), tree, candidates, conditions)
    assert.deepStrictEqual(block.transfers, candidates.slice(0, 2))
    assert.deepStrictEqual(refused, [])
    replay(witness, parameters)
  })

  it("FM-5: passes over a transfer that waits, and over the sender's later ones", () => {
    const tree = treeOf(rich, rich)
    const waiting = transfer({ from: 0, to: 1, amount: 1n, cap: fee - 1n })
    const behind = transfer({ from: 0, to: 1, amount: 1n, nonce: 1n })
    const other = transfer({ from: 1, to: 0, amount: 1n })
    const { block, refused } = executeBlock(rules, genesisOf(tree), tree, [waiting, behind, other], conditions)
    assert.deepStrictEqual(block.transfers, [other])
    assert.deepStrictEqual(refused, [])
    const cheaper = { ...conditions, proverPrice: ProverPrice.make(9n) }
    assert.deepStrictEqual(executeBlock(rules, genesisOf(tree), tree, [waiting, behind, other], cheaper).block.transfers, [waiting, behind])
  })

  it("spends what it received in the same block, and creates and uses an account", () => {
    const tree = treeOf(rich)
    const create = transfer({ from: 0, to: 7, amount: 1n + 2n * fee })
    const use = transfer({ from: 7, to: 0, amount: 1n })
    const { block, changes, witness } = executeBlock(rules, genesisOf(tree), tree, [create, use], conditions)
    assert.deepStrictEqual(block.transfers, [create, use])
    assert.deepStrictEqual([...changes.keys()].sort(), [0, 7])
    includes(changes.get(AccountIndex.make(7)), { balance: fee, nonce: 1n })
    replay(witness, parameters)
  })

  it("without transfers keeps the state and collects nothing", () => {
    const tree = treeOf(rich)
    const { block, witness } = executeBlock(rules, genesisOf(tree), tree, [], { ...conditions, timestamp: 6n })
    includes(block.header, { stateRoot: tree.root, proverFees: 0n, proverGasUsed: 0n, number: 1, timestamp: 6n })
    replay(witness, parameters)
  })

  const Step = Schema.Struct({
    from: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3 })),
    to: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 })),
    amount: Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: 0n, maximum: 3n * fee })),
    cap: Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: fee - 2n, maximum: fee + 10n }))
  })
  it.prop("conservation: balances plus burnt fees stay the same, and every witness replays", [Schema.Array(Step).check(Schema.isMaxLength(10))], ([steps]) => {
    let tree = treeOf(10n * fee, 3n * fee, fee, 0n)
    let parent = genesisOf(tree)
    let burnt = 0n
    const before = total(tree)
    for (let i = 0; i < steps.length; i += 2) {
      const candidates = steps.slice(i, i + 2).map((step) =>
        transfer({ ...step, nonce: at(tree, step.from)?.nonce ?? 0n })
      )
      const made = executeBlock(rules, parent, tree, candidates, conditions)
      burnt += replay(made.witness, parameters)
      tree = made.tree
      parent = made.block.header
      assert.strictEqual(total(tree) + burnt, before)
      assert.strictEqual(StateTree.of(depth, tree.accounts()).root, parent.stateRoot)
    }
  }, { arbitrary: { runs: 12 } })
})
