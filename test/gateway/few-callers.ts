/** As many as a gateway on a busy machine takes without shedding: it turns away what hundreds of callers ask at once. */
const CALLERS = 8;

/** What is asked of each item, by a few callers beside each other; the answers stand in the items' order. */
export async function askOfEach<Item, Answer>(
  items: readonly Item[],
  ask: (item: Item, index: number) => Promise<Answer>,
): Promise<readonly Answer[]> {
  const answers = Array<Answer>(items.length);
  const left = items.entries();
  const call = async (): Promise<void> => {
    for (const [index, item] of left) answers[index] = await ask(item, index);
  };
  await Promise.all(Array.from({ length: CALLERS }, call));
  return answers;
}
