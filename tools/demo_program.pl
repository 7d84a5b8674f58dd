# The program that the demo records: a word index, as a log analyser would build one. Plain perl-base, no modules.
#
# Deterministic: the text comes from a linear congruential generator. It builds a hash of lists, drops half of it, sorts
# what is left and prints a checksum, so that memory grows, shrinks and is used again.
use strict;
use warnings;

my $lines = shift // 60_000;
my $state = 20110204;

sub next_number {
    my ($below) = @_;
    $state = ($state * 1103515245 + 12345) % 2147483648;
    return int($state / 65536) % $below;
}

sub word {
    my $letters = 3 + next_number(9);
    return join '', map { chr(97 + next_number(26)) } 1 .. $letters;
}

my @vocabulary = map { word() } 1 .. 20_000;
my %index;
for my $line (1 .. $lines) {
    my @words = map { $vocabulary[next_number(scalar @vocabulary)] } 1 .. 8;
    my $text = join ' ', @words;
    push @{ $index{$_} }, "$line:" . substr($text, 0, 40) for @words;
    # Every 10,000 lines the index is pruned: long lists keep their newest half.
    if ($line % 10_000 == 0) {
        for my $list (values %index) {
            splice @$list, 0, int(@$list / 2) if @$list > 8;
        }
    }
}

my $entries = 0;
my $checksum = 0;
for my $key (sort { @{ $index{$b} } <=> @{ $index{$a} } || $a cmp $b } keys %index) {
    for my $entry (sort @{ $index{$key} }) {
        $entries++;
        $checksum = ($checksum * 31 + length($entry)) % 1000003;
    }
}
printf "%d words, %d entries, checksum %d\n", scalar(keys %index), $entries, $checksum;
