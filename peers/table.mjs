// What came of the cases: a line each, and the counts.
const WIDTH = 150;

/** Rows of `{ what, who, faults, seen }`. */
export class Table {
  #rows = [];

  add(row) {
    this.#rows.push(row);
  }

  get failed() {
    return this.#rows.filter((row) => row.faults.length).length;
  }

  /** Prints all rows, cases side by side, and the counts. Returns how many failed. */
  print() {
    const rows = this.#rows;
    const order = new Map(rows.map(({ what }, index) => [what, index]).reverse());
    const sorted = rows.toSorted((a, b) => order.get(a.what) - order.get(b.what) || a.who.localeCompare(b.who));
    const width = (key) => Math.max(...rows.map((row) => row[key].length));
    const [what, who] = [width('what'), width('who')];
    for (const row of sorted) {
      const seen = row.seen.replaceAll(/\s+/g, ' ');
      console.log(`${row.faults.length ? 'FAIL' : 'PASS'}  ${row.what.padEnd(what)}  ${row.who.padEnd(who)}  ${seen.slice(0, WIDTH)}`);
      for (const fault of row.faults) console.log(`      ^ ${fault}`);
    }
    console.log(`${rows.length - this.failed} passed, ${this.failed} failed`);
    return this.failed;
  }
}
