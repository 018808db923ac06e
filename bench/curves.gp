# The pictures of docs/performance.md: gnuplot -e "data='FOLDER'; pictures='FOLDER'" curves.gp
set terminal svg size 720,400 font "sans-serif,13" background rgb "white"
set grid lc rgb "#dddddd"
set border 3 lc rgb "#666666"
set tics nomirror
set key top left
file(name) = data . "/" . name . ".dat"
picture(name) = pictures . "/" . name . ".svg"

set output picture("latency")
set title "From a step's return to the event of its completion"
set xlabel "runs at once"
set ylabel "milliseconds"
set logscale xy
plot file("latency") using 1:($4/1e3) with linespoints lw 2 title "longest", \
     "" using 1:($3/1e3) with linespoints lw 2 title "p99", \
     "" using 1:($2/1e3) with linespoints lw 2 title "p50", \
     "" using 1:($5/1e3) with linespoints lw 2 dt 2 title "one commit, p50"

set output picture("rate")
set title "Durable steps a second"
set ylabel "steps/s"
set format y "%.0f"
plot file("rate") using 1:3 with linespoints lw 2 dt 2 title "limit: SQLite alone, the same rows and commits", \
     "" using 1:2 with linespoints lw 2 title "pawl"

unset logscale
set key bottom left
set yrange [0:*]
set output picture("flat")
set title "While the store fills"
set xlabel "millions of finished steps in the store"
set ylabel "steps/s"
plot file("flat") using ($1/1e6):2 with lines lw 2 title "steps/s"

set output picture("steady")
set title "1,000 flows at once, of which the newest 100,000 are kept"
set xlabel "minutes"
set y2tics
set y2range [0:*]
set y2label "MiB"
set ytics nomirror
set key outside bottom center horizontal
plot file("steady") using ($1/60):2 with lines lw 2 title "steps/s", \
     "" using ($1/60):5 axes x1y2 with lines lw 2 title "main file, MiB", \
     "" using ($1/60):4 axes x1y2 with lines lw 2 title "log, MiB", \
     "" using ($1/60):6 axes x1y2 with lines lw 2 title "memory, MiB"
