package org.apache.flink.examples.java.wordcount;

import org.apache.flink.api.common.accumulators.LongCounter;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.java.tuple.Tuple2;

/** Writes a final count as {@code word count} and publishes the most frequent words. */
final class CountLine extends RichMapFunction<Tuple2<String, Long>, String> {
    private final LongCounter distinct = new LongCounter();
    private final TopWords top = new TopWords();

    @Override
    public void setRuntimeContext(RuntimeContext context) {
        super.setRuntimeContext(context);
        context.addAccumulator("distinct-words", distinct);
        context.addAccumulator("word-counts", top);
    }

    @Override
    public String map(Tuple2<String, Long> count) {
        distinct.add(1L);
        top.add(count);
        return count.f0 + " " + count.f1;
    }
}
