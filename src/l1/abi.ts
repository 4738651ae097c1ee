/**
 * ABIs of the L1 contracts, as viem's typed constants. A test holds them equal to what the compiler says.
 */
import { parseAbi } from "viem"

export { creditKinds, reserves } from "../domain/Rewards.ts"

/** `CheckpointRegistry`: the chain of checkpoints and the validator set (CP-1 to CP-4). */
export const checkpointRegistryAbi = parseAbi([
  "struct Checkpoint { bytes32 parentId; uint64 number; bytes32 blockHash; bytes32 stateRoot; }",
  "constructor(Checkpoint genesis, bytes keys, bytes possessions, address provers_, address stateUpdate_)",
  "function register(Checkpoint checkpoint, uint256 signers, bytes signature) returns (bytes32 id)",
  "function handOver(bytes keys, bytes possessions, uint256 signers, bytes signature)",
  "function revertTo(bytes32 id, uint64 tipNumber)",
  "function MAX_VALIDATORS() view returns (uint256)",
  "function headId() view returns (bytes32)",
  "function genesisId() view returns (bytes32)",
  "function record(bytes32 id) view returns (uint64 number, uint40 registeredAt, uint40 continuedAt, uint32 continuedAmong, uint48 depth, uint32 generation)",
  "function isLive(bytes32 id) view returns (bool)",
  "function generation() view returns (uint32)",
  "function floor() view returns (uint64)",
  "function provers() view returns (address)",
  "function stateUpdate() view returns (address)",
  "function validatorSet() view returns (uint64 epoch, uint256 validators)",
  "function validatorKeys() view returns (bytes)",
  "function checkpointDigest(bytes32 id) view returns (bytes32)",
  "function handOverDigest(bytes keys) view returns (bytes32)",
  "event CheckpointRegistered(bytes32 indexed id, bytes32 indexed parentId, uint64 indexed number, bytes32 blockHash, bytes32 stateRoot, uint256 signers, bytes signature)",
  "event ValidatorSetChanged(uint64 indexed epoch, uint256 validators, bytes keys)",
  "event CheckpointsReverted(uint32 indexed generation, bytes32 indexed headId, uint64 headNumber, uint64 tipNumber)",
  "error CP1_ParentIsNotHead(bytes32 given, bytes32 head)",
  "error CP1_NumberNotAboveHead(uint64 given, uint64 head)",
  "error CP2_UnknownSigner(uint256 signers, uint256 validators)",
  "error CP2_QuorumNotReached(uint256 signers, uint256 needed)",
  "error CP2_SignatureInvalid()",
  "error CP3_KeysMalformed(uint256 keyBytes, uint256 possessionBytes)",
  "error CP3_ValidatorCount(uint256 given, uint256 most)",
  "error CP3_DuplicateKey(uint256 first, uint256 second)",
  "error CP3_PossessionInvalid(uint256 index)",
  "error CP4_Reverted(bytes32 id)",
  "error CP4_OnlyStateUpdate(address caller)",
  "error PrecompileRefused(address precompile)"
])

/** `ProverRegistry`: who takes part in turns (ST-6). */
export const proverRegistryAbi = parseAbi([
  "struct Parameters { uint32 idleFallback; uint32 turnLength; uint32 leaveDelay; uint32 redundancyWindow; uint32 proofDeadline; uint32 targetLag; uint32 bonusRamp; uint32 signalEpoch; uint32 reputationHalfLife; uint8 designation; uint80 fallbackBounty; uint80 bonusCap; uint96 bond; uint32 minUpdates; uint16 signalQuorum; uint16 signalCap; uint32 signalStep; uint32 signalMax; uint32 signalDecay; }",
  "constructor(Parameters parameters)",
  "function register() payable",
  "function deregister()",
  "function withdraw(address prover)",
  "function count() view returns (uint256)",
  "function proverAt(uint256 position, uint256 among) view returns (address prover, uint40 since)",
  "function isRegistered(address prover) view returns (bool)",
  "function unlocksAt(address prover) view returns (uint64)",
  "function bond() view returns (uint256)",
  "function leaveDelay() view returns (uint256)",
  "event ProverRegistered(address indexed prover, uint256 position)",
  "event ProverLeft(address indexed prover, address indexed moved, uint64 unlocksAt)",
  "event BondReturned(address indexed prover, uint256 amount)",
  "error ST6_NoBond()",
  "error ST6_LeaveDelayBelowTurn(uint256 leaveDelay, uint256 turnLength)",
  "error ST6_BondMismatch(uint256 given, uint256 bond)",
  "error ST6_AlreadyRegistered(address prover)",
  "error ST6_NotRegistered(address prover)",
  "error ST6_StillLeaving(address prover, uint64 unlocksAt)",
  "error ST6_NothingToWithdraw(address prover)",
  "error ST6_BondLocked(uint64 unlocksAt)",
  "error ST6_PaymentRefused(address prover)"
])

/** `StateUpdate`: the proven tip (ST-1 to ST-7), reverts (CP-4) and redundant proofs (RW-4). */
export const stateUpdateAbi = parseAbi([
  "struct Leaf { bytes32 blockHash; address prover; uint96 proverFees; uint64 proverGas; }",
  "struct Checkpoint { bytes32 parentId; uint64 number; bytes32 blockHash; bytes32 stateRoot; }",
  "struct Update { uint8 system; bytes32 from; Leaf[] leaves; address[] mergers; Checkpoint[] checkpoints; bytes32[] ancestry; bytes proof; }",
  "struct Transition { bytes32 from; uint64 fromNumber; Leaf[] leaves; uint256[] shares; address holder; uint64 settledAt; }",
  "struct Redundancy { Transition transition; uint8 system; address[] provers; address[] mergers; bytes proof; }",
  "struct Parameters { uint32 idleFallback; uint32 turnLength; uint32 leaveDelay; uint32 redundancyWindow; uint32 proofDeadline; uint32 targetLag; uint32 bonusRamp; uint32 signalEpoch; uint32 reputationHalfLife; uint8 designation; uint80 fallbackBounty; uint80 bonusCap; uint96 bond; uint32 minUpdates; uint16 signalQuorum; uint16 signalCap; uint32 signalStep; uint32 signalMax; uint32 signalDecay; }",
  "constructor(address registry_, address vault_, address provers_, Checkpoint genesis, address[] verifiers, Parameters parameters)",
  "function submit(Update update)",
  "function submitRedundant(Redundancy redundancy)",
  "function revertUnproven(Checkpoint fallbackTo, Checkpoint oldest)",
  "function tip() view returns (bytes32 blockHash, uint64 number)",
  "function boundary(bytes32 blockHash) view returns (bool proven, uint64 number, uint184 claim)",
  "function verifierOf(uint8 system) view returns (address)",
  "function registry() view returns (address)",
  "function vault() view returns (address)",
  "function provers() view returns (address)",
  "function idleSince() view returns (uint64)",
  "function turn() view returns (bool inFallback, uint64 index, address holder, uint64 endsAt)",
  "function idleFallback() view returns (uint64)",
  "function turnLength() view returns (uint64)",
  "function designation() view returns (uint8)",
  "function fallbackBounty() view returns (uint80)",
  "function redundancyWindow() view returns (uint64)",
  "function proofDeadline() view returns (uint64)",
  "function targetLag() view returns (uint64)",
  "function bonusRamp() view returns (uint64)",
  "function bonusCap() view returns (uint80)",
  "event StateUpdated(bytes32 fromHash, bytes32 indexed toHash, uint64 fromNumber, uint64 toNumber, uint8 system, address indexed submitter, bytes32 indexed checkpointId)",
  "event AlreadyProven(address indexed submitter, uint64 toNumber, uint64 tipNumber)",
  "event UpdatedInTurn(uint64 indexed toNumber, uint64 turn, address indexed holder, address indexed submitter)",
  "event RedundancyOpened(bytes32 indexed toHash, address indexed holder, uint64 closesAt, address[] provers, uint256[] shares)",
  "event RedundancyProven(bytes32 indexed toHash, address indexed holder, uint8 system, uint256 earned)",
  "error CP4_DeadlineBeforeTurn(uint256 proofDeadline, uint256 turnsEnd)",
  "error CP4_NotLinked()",
  "error CP4_NotLive(bytes32 id)",
  "error CP4_NotOldest(uint64 tipNumber)",
  "error CP4_NotDue(uint256 due)",
  "error RW4_TransitionUnknown(bytes32 toHash)",
  "error RW4_NotYourTurn(address holder)",
  "error RW4_WindowClosed(uint256 closedAt)",
  "error RW4_LeafCount(uint256 given, uint256 expected)",
  "error RW4_NothingEarned()",
  "error RW6_RampInvalid(uint256 bonusRamp)",
  "error ST5_NoRace()",
  "error ST6_NoTurnLength()",
  "error ST6_NotYourTurn(address holder)",
  "error ST1_NoBlocks()",
  "error ST1_FromIsNotABoundary(bytes32 from)",
  "error ST1_NotThroughTip(bytes32 given, bytes32 tip)",
  "error ST2_NoCheckpoint()",
  "error ST2_CheckpointUnknown(bytes32 id)",
  "error ST2_CheckpointsNotLinked(uint256 index)",
  "error ST2_CheckpointsMissing(uint64 parentNumber, uint64 tipNumber)",
  "error ST2_NotContinued(uint64 toNumber, uint64 checkpointNumber)",
  "error ST3_SystemUnknown(uint8 system)",
  "error ST3_ProofInvalid()",
  "error GenesisMismatch(bytes32 given, bytes32 registered)",
  "error NotLinked(address contract_, address expected, address linked)"
])

/** `RewardVault`: who is owed what (RW-1 to RW-7). */
export const rewardVaultAbi = parseAbi([
  "struct Leaf { bytes32 blockHash; address prover; uint96 proverFees; uint64 proverGas; }",
  "struct Shares { uint16 leaf; uint16 merge; uint16 submission; uint16 redundancy; uint16 reserve; }",
  "struct Parameters { uint32 idleFallback; uint32 turnLength; uint32 leaveDelay; uint32 redundancyWindow; uint32 proofDeadline; uint32 targetLag; uint32 bonusRamp; uint32 signalEpoch; uint32 reputationHalfLife; uint8 designation; uint80 fallbackBounty; uint80 bonusCap; uint96 bond; uint32 minUpdates; uint16 signalQuorum; uint16 signalCap; uint32 signalStep; uint32 signalMax; uint32 signalDecay; }",
  "constructor(address stateUpdate_, Shares split, Parameters parameters)",
  "function fund() payable",
  "function endow() payable",
  "function reward(Leaf[] leaves, address[] mergers, uint256[] bonuses, uint64 firstNumber, address submitter, uint80 bounty) returns (uint256[] redundancyShares)",
  "function rewardRedundancy(address holder, uint64 firstNumber, uint256[] earned, uint256 gas, uint64 settledAt) returns (uint256 sum)",
  "function forfeit(uint64 firstTurn, address[] holders)",
  "function lapse()",
  "function claim(address account) returns (uint256 amount)",
  "function creditOf(address account) view returns (uint256)",
  "function unallocated() view returns (uint256)",
  "function redundancyReserve() view returns (uint256)",
  "function protocolReserve() view returns (uint256)",
  "function shares() view returns (Shares)",
  "function stateUpdate() view returns (address)",
  "function redundancyWindow() view returns (uint40)",
  "function reputationOf(address account) view returns (uint256 reputation, uint256 updates)",
  "function totalReputation() view returns (uint256)",
  "function reputationHalfLife() view returns (uint32)",
  "event Funded(address indexed by, uint256 amount)",
  "event Credited(uint64 indexed number, address indexed account, uint8 kind, uint256 amount)",
  "event Reserved(uint8 indexed reserve, uint64 firstNumber, uint64 lastNumber, uint256 amount)",
  "event Released(uint8 indexed reserve, uint64 firstNumber, uint64 lastNumber, uint256 amount)",
  "event Lapsed(uint256 amount)",
  "event TurnMissed(uint64 indexed turn, address indexed holder, uint256 lost)",
  "event PotShort(uint64 indexed number, uint256 proverFees, uint256 pot)",
  "event Claimed(address indexed account, uint256 amount)",
  "error FM3_NoHalfLife()",
  "error RW2_SharesDoNotSum(uint256 sum)",
  "error RW4_NoWindow()",
  "error RW5_OnlyStateUpdate(address caller)",
  "error RW5_NothingToClaim(address account)",
  "error RW5_PaymentRefused(address account)",
  "error RW5_FundTooLarge(uint256 amount)"
])

/** `FeeSignal`: provers' word that the price is too low (FM-3). */
export const feeSignalAbi = parseAbi([
  "struct Parameters { uint32 idleFallback; uint32 turnLength; uint32 leaveDelay; uint32 redundancyWindow; uint32 proofDeadline; uint32 targetLag; uint32 bonusRamp; uint32 signalEpoch; uint32 reputationHalfLife; uint8 designation; uint80 fallbackBounty; uint80 bonusCap; uint96 bond; uint32 minUpdates; uint16 signalQuorum; uint16 signalCap; uint32 signalStep; uint32 signalMax; uint32 signalDecay; }",
  "constructor(address vault, Parameters parameters)",
  "function flag()",
  "function multiplier() view returns (uint64)",
  "function epoch() view returns (uint40)",
  "function hasFlagged(address prover) view returns (bool)",
  "function reputation() view returns (address)",
  "function signalEpoch() view returns (uint32)",
  "function minUpdates() view returns (uint32)",
  "function signalQuorum() view returns (uint16)",
  "function signalCap() view returns (uint16)",
  "function signalStep() view returns (uint32)",
  "function signalMax() view returns (uint32)",
  "function signalDecay() view returns (uint32)",
  "event Flagged(uint40 indexed epoch, address indexed prover, uint256 weight, uint256 gathered, uint256 total)",
  "event MultiplierRaised(uint40 indexed epoch, uint64 multiplier)",
  "error FM3_ParameterOutOfRange(string name)",
  "error FM3_NotActive(uint256 updates, uint256 minUpdates)",
  "error FM3_AlreadyFlagged(uint256 epoch)",
  "error FM3_NoReputation()"
])

/** `Groth16BatchVerifier`: proof system 1 (ST-3). */
export const groth16BatchVerifierAbi = parseAbi([
  "struct Leaf { bytes32 blockHash; address prover; uint96 proverFees; uint64 proverGas; }",
  "constructor(uint256[] blockKey, uint256[] ancestryKey)",
  "function verify(bytes32 from, Leaf[] leaves, address[] mergers, bytes32[] ancestry, bytes proof) view returns (bool)",
  "function verifyingKeys() view returns (uint256[] words)",
  "function verifyingKeysHash() view returns (bytes32)",
  "error ST3_KeyLength(uint256 given, uint256 expected)",
  "error ST3_KeysNotShared()",
  "error ST3_KeyInvalid()",
  "error ST3_ProofLength(uint256 given, uint256 expected)",
  "error ST3_NothingMerged()",
  "error ST3_InputNotInField(uint256 value)",
  "error ST3_PointInvalid()"
])

/** Ids of the proof systems on L1 (ST-3). */
export const proofSystemIds = { groth16: 1 } as const

/** Every error that a call to `StateUpdate` can end with: its own, its verifiers' and its vault's. */
export const settlementErrorsAbi = [...stateUpdateAbi, ...groth16BatchVerifierAbi, ...rewardVaultAbi].filter(
  (item) => item.type === "error"
)
