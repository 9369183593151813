package org.apache.flink.examples.java.wordcount;

import java.util.Locale;
import java.util.regex.Pattern;
import org.apache.flink.api.common.accumulators.LongCounter;
import org.apache.flink.api.common.functions.RichFlatMapFunction;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.typeutils.ResultTypeQueryable;
import org.apache.flink.util.Collector;

/** Splits a line into its words, in lower case, each counted once. */
final class Words extends RichFlatMapFunction<String, Tuple2<String, Long>>
        implements ResultTypeQueryable<Tuple2<String, Long>> {
    private static final Pattern BETWEEN_WORDS = Pattern.compile("[^\\p{L}\\p{N}]+");

    private final LongCounter total = new LongCounter();

    // Here and not in open(), whose signature differs between Flink 1.x and 2.x.
    @Override
    public void setRuntimeContext(RuntimeContext context) {
        super.setRuntimeContext(context);
        context.addAccumulator("total-words", total);
    }

    @Override
    public void flatMap(String line, Collector<Tuple2<String, Long>> words) {
        for (String word : BETWEEN_WORDS.split(line.toLowerCase(Locale.ROOT))) {
            if (!word.isEmpty()) {
                total.add(1L);
                words.collect(Tuple2.of(word, 1L));
            }
        }
    }

    @Override
    public TypeInformation<Tuple2<String, Long>> getProducedType() {
        return Types.TUPLE(Types.STRING, Types.LONG);
    }
}
